// Find elements, and build them with text, never with markup: what Python renders comes in through patches.js.

/** @typedef {Record<string, string | boolean | undefined | ((event: any) => unknown)>} Attributes */

let made = 0;

/** Make an id that no other element has, in any view on the page. */
export function uniqueId() {
  made += 1;
  return `opencode-nb-${Math.random().toString(36).slice(2, 8)}-${made}`;
}

/**
 * Find the first element below `scope` that matches.
 *
 * @param {ParentNode} scope
 * @param {string} selector
 * @returns {HTMLElement | null}
 */
export function query(scope, selector) {
  return scope.querySelector(selector);
}

/**
 * Find all elements below `scope` that match.
 *
 * @param {ParentNode} scope
 * @param {string} selector
 * @returns {HTMLElement[]}
 */
export function queryAll(scope, selector) {
  return [.../** @type {NodeListOf<HTMLElement>} */ (scope.querySelectorAll(selector))];
}

/**
 * Find the innermost element around `node`, or itself, that matches.
 *
 * @param {Element} node
 * @param {string} selector
 * @returns {HTMLElement | null}
 */
export function closest(node, selector) {
  return node.closest(selector);
}

/**
 * Return the element at which an event happened.
 *
 * @param {Event} event
 */
export function targetOf(event) {
  return /** @type {HTMLElement} */ (event.target);
}

/**
 * Return the element that has the focus, in the document or shadow root that `node` is in.
 *
 * @param {Node} node
 */
export function activeIn(node) {
  const page = /** @type {Document | ShadowRoot} */ (node.getRootNode());
  return /** @type {HTMLElement | null} */ (page.activeElement ?? null);
}

/**
 * Make an element.
 *
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Attributes} [attributes] by name: false and undefined leave one out, functions are listeners (`onclick`)
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else if (value !== false && value !== undefined) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

/**
 * Whether a key belongs to an input method (Chinese, Japanese, Korean...), which completes a word with it.
 *
 * @param {KeyboardEvent} event
 */
export function isComposing(event) {
  return event.isComposing || event.keyCode === 229; // Safari's Enter comes after the composition's end, with 229
}

/**
 * Set properties only where they differ, so that nothing is announced, laid out or scrolled again.
 *
 * @template {object} T
 * @param {T} node
 * @param {Partial<T>} values
 */
export function update(node, values) {
  const now = /** @type {Record<string, unknown>} */ (node);
  for (const [name, value] of Object.entries(values)) if (now[name] !== value) now[name] = value;
}

/**
 * Give `node` these children in this order. Those that are in place stay there, and keep the focus.
 *
 * @param {Element} node
 * @param {Element[]} wanted
 */
export function setChildren(node, wanted) {
  for (const child of [...node.children]) if (!wanted.includes(child)) child.remove();
  wanted.forEach((child, index) => {
    if (child !== node.children[index]) node.insertBefore(child, node.children[index] ?? null);
  });
}

// What pages and Python say to each other. For the type checker only: no browser loads this file.
// The wire protocol itself is described, with examples, in tests/render/wire_protocol.json.

/** One change of the page, by the `data-key` of a node. */
export type Op =
  | [name: "put", key: string, parent: string, html: string, before?: string]
  | [name: "text", key: string, text: string]
  | [name: "splice", key: string, keep: number, html: string]
  | [name: "drop", key: string];

/** The whole view as of batch `n`. */
export interface Snapshot {
  n: number;
  html: string;
}

/** A message from Python; `kind` says which of the other fields it has. */
export interface Message {
  kind: string;
  n?: any;
  id?: any;
  [field: string]: any;
}

/** A message to Python. */
export interface Intent {
  kind: string;
  [field: string]: unknown;
}

/** anywidget's model: the traits of the widget in Python, and messages to and from it. */
export interface Model {
  get(trait: "snapshot"): Partial<Snapshot> | undefined;
  get(trait: string): any;
  on(event: string, listener: (content: any) => void): void;
  off(event: string, listener: (content: any) => void): void;
  send(message: object): void;
  widget_manager?: Promise<{ context?: NotebookContext }>;
}

/** What anywidget gives to `render`. */
export interface View {
  model: Model;
  el: HTMLElement;
  signal?: AbortSignal;
}

/** JupyterLab's document context of a notebook, as far as it is used here. */
export interface NotebookContext {
  path: string;
  save(): Promise<void>;
  model: {
    sharedModel: {
      cells: unknown[];
      insertCell(index: number, cell: { cell_type: "code"; source: string; metadata: object }): void;
    };
  };
}

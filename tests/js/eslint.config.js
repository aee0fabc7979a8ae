// Run from the repository's root, see the Makefile's `check`.

import js from "@eslint/js";
import jsdoc from "eslint-plugin-jsdoc";
import globals from "globals";

export default [
  js.configs.recommended,
  {
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "eqeqeq": "error",
      "max-lines-per-function": ["error", { max: 100 }],
      "no-shadow-restricted-names": "error",
      "no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_", caughtErrors: "none" }],
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
    },
  },
  {
    files: ["opencode_nb/static/**"],
    languageOptions: { globals: globals.browser },
    plugins: { jsdoc },
    settings: { jsdoc: { mode: "typescript" } },
    rules: {
      ...jsdoc.configs["flat/recommended-typescript-flavor-error"].rules,
      "jsdoc/reject-any-type": "off", // anywidget's and JupyterLab's values have no types
      "jsdoc/require-jsdoc": ["error", { publicOnly: true, require: { ArrowFunctionExpression: true, FunctionDeclaration: true } }],
      "jsdoc/require-param-description": "off", // where the name says it
      "jsdoc/require-returns": "off", // TypeScript infers them
      "jsdoc/require-returns-description": "off",
      "jsdoc/tag-lines": ["error", "any", { startLines: 1 }],
      "jsdoc/valid-types": "off", // TypeScript checks them
    },
  },
  { files: ["tests/js/**"], languageOptions: { globals: { ...globals.node, ...globals.browser } } },
];

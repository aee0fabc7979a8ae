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
  get(trait: "saved"): Saved;
  get(trait: string): any;
  on(event: string, listener: (content: any) => void): void;
  off(event: string, listener: (content: any) => void): void;
  send(message: object): void;
  widget_manager?: Promise<{ context?: NotebookContext; rendermime?: RenderMime }>;
}

/** What a notebook keeps of a view: its static forms by media type, and where they come from. */
export interface Saved {
  /** The widget model's id. */
  id: string;
  data?: Record<string, unknown>;
  metadata?: Record<string, unknown>;
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
  ready: Promise<void>;
  isDisposed: boolean;
  sessionContext?: SessionContext;
  /** The file as it was saved or loaded last. */
  contentsModel?: { last_modified?: string } | null;
  save(): Promise<void>;
  model: {
    dirty: boolean;
    cells: Iterable<{ id: string; trusted: boolean; outputs?: OutputList }>;
    sharedModel: NotebookModel;
  };
}

/** JupyterLab's shared model of a notebook: what is changed here is changed for everybody who has it open. */
export interface NotebookModel {
  cells: Cell[];
  insertCell(index: number, cell: object): Cell;
  deleteCell(index: number): void;
  moveCell(from: number, to: number): void;
}

/** One cell of a shared model; what has to do with outputs and counts, only code has. */
export interface Cell {
  id: string;
  cell_type: string;
  execution_count?: number | null;
  getSource(): string;
  updateSource(start: number, end: number, text: string): void;
  getOutputs?(): Output[];
  setOutputs?(outputs: object[]): void;
  transact?(change: () => void, undoable?: boolean): void;
  toJSON(): object;
}

/** What the kernel asks about cells: `op` says which of the other fields it has (opencode_nb/kernel/cells). */
export interface CellRequest {
  kind: string;
  id: string;
  op: string;
  page?: string;
  cell?: string;
  file?: string;
  expected?: string;
  source?: string;
  type?: string;
  index?: number;
  after?: string;
  from?: number;
  to?: number;
  ids?: string[];
  text?: number;
  images?: boolean;
  outputs?: object[];
  count?: number | null;
  json?: { id?: string };
}

/** One of JupyterLab's signals. */
export interface Signal<T> {
  connect(slot: (sender: unknown, value: T) => void): unknown;
  disconnect(slot: (sender: unknown, value: T) => void): unknown;
}

/** JupyterLab's connection of a notebook to its kernel. */
export interface SessionContext {
  statusChanged: Signal<string>;
  connectionStatusChanged: Signal<string>;
  kernelChanged: Signal<{ oldValue?: { id: string } | null; newValue?: { id: string } | null }>;
}

/** One output of a cell, as in the notebook's file. */
export interface Output {
  data: Record<string, any>;
  metadata: Record<string, unknown>;
  output_type?: string;
  [field: string]: unknown;
}

/** JupyterLab's outputs of one cell. */
export interface OutputList {
  length: number;
  get(index: number): { data?: Record<string, any>; toJSON(): Output };
  set(index: number, output: Output): void;
}

/** What draws one output. */
export interface Renderer {
  renderModel(output: object): Promise<void>;
}

/** JupyterLab's table of what draws which media type, for one notebook. */
export interface RenderMime {
  getFactory(type: string): { createRenderer(options: object): Renderer } | undefined;
  addFactory(factory: { safe: boolean; mimeTypes: string[]; createRenderer(options: object): Renderer }, rank: number): void;
  removeMimeType(type: string): void;
}

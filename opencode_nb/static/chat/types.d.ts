// What Python shows in the panel's own controls. For the type checker only: no browser loads this file.

/** The trait `state`, see opencode_nb/widgets/chat_state.py. It is empty until Python has set it. */
export interface State {
  session?: Session;
  deleted?: boolean;
  busy?: boolean;
  /** How the last turn ended: completed, aborted, error, or "". */
  outcome?: string;
  status?: string;
  model?: string;
  /** Its name and provider, for people. */
  model_name?: string;
  /** Where it comes from, in words. */
  model_source?: string;
  /** What to offer while no model is set up; null if one is. */
  setup?: Setup | null;
  agent?: string;
  variant?: string;
  variants?: string[];
  agents?: Agent[];
  meter?: Meter | null;
  connection?: { state?: string; error?: string };
  queue?: QueueItem[];
  /** Why the queue waits; "" if it does not. */
  paused?: string;
  /** The text of the first undone message. */
  undone?: string;
  can_share?: boolean;
  /** Why there are no such features, by their names: see opencode_nb/api/features.py. */
  lacks?: Record<string, string>;
  git?: boolean | null;
  at_end?: boolean;
  notice?: Notice | null;
  /** What the agent may use and know of the kernel; null where there is no choice. */
  kernel?: KernelAccess | null;
  /** The other sessions that wait for an answer. */
  elsewhere?: { id: string; title: string }[];
}

export interface Session {
  id: string;
  title?: string;
  directory?: string;
  shared_url?: string | null;
}

export interface Setup {
  /** The command that logs in to a provider. */
  login: string;
  /** OpenCode's free public model, and what using it sends where. */
  free?: { model: string; sends: string } | null;
}

export interface Agent {
  name: string;
  description?: string;
}

/** See opencode_nb/widgets/chat_kernel.py. */
export interface KernelAccess {
  /** Whether the agent has the kernel's tools. */
  tools: boolean;
  /** Why it cannot have them; "" if it can. */
  lacks: string;
  /** The privacy level. */
  level: string;
  levels: { name: string; about: string }[];
  not_covered: string;
  /** Where the code that the agent runs stands: opencode_nb/kernel/cells/place.py. */
  place: string;
  places: { name: string; about: string }[];
}

/** See opencode_nb/widgets/chat_answers.py. */
export interface McpServer {
  name: string;
  state: string;
  connected: boolean;
  /** What to do about its state; "" if nothing. */
  step: string;
  /** The command that does it; "" if none does. */
  command: string;
}

/** How full the model's window is; a window of 0 is unknown. */
export interface Meter {
  tokens?: number;
  window?: number;
  share?: number;
  cost?: number;
}

export interface QueueItem {
  id: string;
  text: string;
  /** The names of the attached files. */
  files?: string;
}

export interface Notice {
  n: number;
  text: string;
  level: string;
  again?: Again | null;
}

/** The intent of a notice's button: it repeats a refused undo or redo and overwrites what was in its way, for example. */
export interface Again {
  kind: string;
  [argument: string]: unknown;
}

/** What a slash command did, for the page that it was written in, see opencode_nb/widgets/chat_intents.py. */
export interface Result {
  /** What it tells, to be seen. */
  text?: string;
  /** What it tells a screen reader, where others see it. */
  said?: string;
  /** What it opens: a list to choose from, for example; in the place of `text`, if there is something to open. */
  opens?: string;
  /** A file to save; `data` is base64. */
  file?: { name: string; mime: string; data: string };
}

/** A file that goes along with a message; `data` is base64. */
export interface Attachment {
  name: string;
  mime: string;
  data: string;
  size: number;
  /** The ids of the notebook's cells that it stands for, instead of a file: the kernel reads them when it is sent. */
  cells?: string[];
  /** Its element, once it has been shown. */
  chip?: HTMLElement;
}

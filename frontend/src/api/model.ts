import type { CodeTableValues, Weights } from './weights';

/** What the server has, as the views use it. Every list is ready to be read, nothing is lazy. */
export interface Catalog {
  readonly runs: readonly RunInfo[];
  readonly codeTables: ReadonlyMap<number, CodeTableValues>;
  readonly logDir: string;
  readonly problems: readonly string[];
}

export interface RunInfo {
  readonly name: string;
  readonly layers: readonly LayerInfo[];
  readonly thumbnailsOnly: boolean;
}

export interface LayerInfo {
  readonly name: string;
  readonly steps: readonly number[];
  readonly wallTimes: readonly number[];
  /** Steps before whose records captures were left out, and how many at each. */
  readonly gapSteps?: readonly number[];
  readonly gapCounts?: readonly number[];
  /** Of the latest record, as are its numbers; see `Heads`. */
  readonly heads: number;
  readonly headNumbers?: readonly number[];
  readonly queries: number;
  readonly keys: number;
  readonly causal: boolean;
  readonly examples: readonly ExampleInfo[];
  readonly exampleSteps: readonly number[];
  readonly generation: string;
  /** Of the latest record; 0: not pooled. */
  readonly queryPooling: number;
  readonly keyPooling: number;
}

/** A cell of a stored map holds the maximum of so many queries × so many keys. */
export interface Pooling {
  readonly queries: number;
  readonly keys: number;
}

export interface ExampleInfo {
  readonly queryTokens: readonly string[];
  readonly keyTokens: readonly string[];
  readonly queryLength: number;
  readonly keyLength: number;
}

/** One map, [queries, keys], padding included. */
export interface AttentionMap {
  readonly step: number;
  readonly queries: number;
  readonly keys: number;
  readonly queryLength: number;
  readonly keyLength: number;
  readonly causal: boolean;
  readonly hasNonfinite: boolean;
  readonly outOfRange: boolean;
  /** By key, 1 where it was left out by choice; its weights are 0. */
  readonly hidden?: Uint8Array;
  /** Absent where every weight is stored. */
  readonly pooling?: Pooling | undefined;
  readonly weights: Weights;
}

/** The thumbnails of every head of one layer and example: codes [heads, rows, columns]. */
export interface Tiles {
  readonly layer: string;
  readonly step: number;
  readonly example: number;
  readonly heads: number;
  readonly headNumbers?: readonly number[];
  readonly rows: number;
  readonly columns: number;
  readonly causal: boolean;
  readonly queryLength: number;
  readonly keyLength: number;
  readonly codes: Uint8Array;
  readonly table: CodeTableValues | undefined;
  readonly problem: string;
}

export interface LayerMetrics {
  readonly steps: readonly number[];
  readonly examples: number;
  readonly heads: number;
  readonly headNumbers?: readonly number[];
  /** By name, each [steps, examples, heads] row-major. */
  readonly series: ReadonlyMap<string, Float32Array>;
}

/** Something that happened to a head over the training. */
export interface EventInfo {
  readonly kind: string;
  readonly layer: string;
  /** Its number in the model. */
  readonly head: number;
  /** Of the first record that shows it. */
  readonly step: number;
  readonly confirmedStep: number;
  readonly metric: string;
  readonly value: number;
  /** A sentence for a person. */
  readonly message: string;
}

export interface RunEvents {
  readonly events: readonly EventInfo[];
  readonly problems: readonly string[];
}

/** What is wrong with one map as an alignment; the ends are one past the last. */
export interface FailureInfo {
  readonly kind: string;
  readonly firstQuery: number;
  readonly endQuery: number;
  readonly firstKey: number;
  readonly endKey: number;
}

import {
  AtlasHeader,
  EventsResponse,
  ExamplesResponse,
  FailuresResponse,
  MapHeader,
  MetricsResponse,
  RunsResponse,
  type Layer,
} from '../gen/attention';
import { crc32, hex32 } from './crc32';
import { inflateRaw, UnreadableData } from './inflate';
import type {
  AttentionMap,
  Catalog,
  ExampleInfo,
  FailureInfo,
  LayerInfo,
  LayerMetrics,
  RunEvents,
  Tiles,
} from './model';
import { splitParts, type Part } from './parts';
import { BYTES_PER_WEIGHT, decodeWeights, type CodeTableValues } from './weights';

/** The server answered, but with a refusal; the message is the server's own sentence. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
    this.name = 'Refused';
  }
}

type Parameters = Readonly<Record<string, string | number>>;

/** Relative on purpose: the document's base is the plugin's folder, under any path prefix. */
async function get(
  route: string,
  parameters: Parameters,
  signal: AbortSignal | undefined,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) query.set(name, String(value));
  const text = query.toString();
  const response = await fetch(text ? `${route}?${text}` : route, {
    headers,
    ...(signal ? { signal } : {}),
  }).catch((error: unknown) => {
    // "Failed to fetch", "NetworkError when …", "Load failed": each browser has its own word.
    throw error instanceof TypeError ? new Error('The server did not answer.') : error;
  });
  if (!response.ok && response.status !== 304) {
    const sentence = (await response.text()).trim();
    const isText = (response.headers.get('Content-Type') ?? '').startsWith('text/plain');
    throw new Refused(
      response.status,
      isText && sentence ? sentence.slice(0, 400) : `The server answered ${response.status}.`,
    );
  }
  return response;
}

async function bytes(response: Response): Promise<Uint8Array> {
  return new Uint8Array(await response.arrayBuffer());
}

export interface Tagged<T> {
  readonly etag: string;
  /** Absent when the server says that nothing changed. */
  readonly value?: T;
}

export async function fetchCatalog(etag: string, signal: AbortSignal): Promise<Tagged<Catalog>> {
  // The browser's own cache would answer 200 to our conditional request.
  const response = await get('runs', {}, signal, etag ? { 'If-None-Match': etag } : {});
  if (response.status === 304) return { etag };
  const message = RunsResponse.decode(await bytes(response));
  return {
    etag: response.headers.get('ETag') ?? '',
    value: {
      runs: message.runs.map((run) => ({
        name: run.name,
        layers: run.layers.map(layerInfo),
        thumbnailsOnly: run.thumbnailsOnly,
      })),
      codeTables: new Map(
        message.codeTables.map((table) => [
          table.id,
          { id: table.id, values: Float32Array.from(table.values), tiny: table.tiny },
        ]),
      ),
      logDir: message.logDir,
      problems: message.problems,
    },
  };
}

function layerInfo(layer: Layer): LayerInfo {
  return { ...layer, examples: layer.examples, exampleSteps: layer.exampleSteps };
}

export async function fetchExamples(
  run: string,
  layer: LayerInfo,
  step: number,
  signal?: AbortSignal,
): Promise<readonly ExampleInfo[]> {
  const response = await get(
    'examples',
    { run, layer: layer.name, step, v: layer.generation },
    signal,
  );
  return ExamplesResponse.decode(await bytes(response)).examples;
}

export async function fetchMetrics(
  run: string,
  layer: string,
  signal?: AbortSignal,
): Promise<LayerMetrics> {
  const response = await get('metrics', { run, layer }, signal);
  const message = MetricsResponse.decode(await bytes(response));
  return {
    steps: message.steps,
    examples: message.examples,
    heads: message.heads,
    headNumbers: message.headNumbers,
    series: new Map(message.series.map((s) => [s.name, Float32Array.from(s.values)])),
  };
}

export async function fetchEvents(run: string, signal?: AbortSignal): Promise<RunEvents> {
  return EventsResponse.decode(await bytes(await get('events', { run }, signal)));
}

export interface MapRequest {
  readonly run: string;
  readonly layer: string;
  readonly generation: string;
  readonly example: number;
  readonly head: number;
  readonly step: number;
}

type Tables = ReadonlyMap<number, CodeTableValues>;

export async function fetchMap(
  request: MapRequest,
  tables: Tables,
  signal?: AbortSignal,
): Promise<AttentionMap> {
  const { head, ...rest } = request;
  const [map] = await fetchHeads({ ...rest, heads: [head] }, tables, signal);
  if (!map) throw new UnreadableData('The server sent no map.');
  return map;
}

export type HeadsRequest = Omit<MapRequest, 'head'> & { readonly heads: readonly number[] };

/** Several heads of one layer in one answer, in the order asked for. */
export async function fetchHeads(
  request: HeadsRequest,
  tables: Tables,
  signal?: AbortSignal,
): Promise<AttentionMap[]> {
  const response = await get(
    'maps',
    {
      run: request.run,
      layer: request.layer,
      example: request.example,
      heads: request.heads.join(','),
      steps: request.step,
      v: request.generation,
    },
    signal,
  );
  const parts = splitParts(await response.arrayBuffer());
  if (parts.length !== request.heads.length) {
    throw new UnreadableData(
      `The server sent ${parts.length} maps where ${request.heads.length} were asked for.`,
    );
  }
  return Promise.all(parts.map((part) => decodeMap(part, tables)));
}

async function decodeMap(part: Part, tables: Tables): Promise<AttentionMap> {
  const header = MapHeader.decode(part.header);
  if (header.problem) throw new UnreadableData(header.problem);
  const count = header.queries * header.keys;
  // An encoding from the future has no size here; `decodeWeights` refuses it with a sentence.
  const size = count * ((BYTES_PER_WEIGHT[header.encoding] as number | undefined) ?? 0);
  // The browser inflates on another thread while the checksum is computed on this one.
  const inflating = size > 0 ? inflateRaw(part.payload, size) : Promise.resolve(new Uint8Array(0));
  inflating.catch(() => undefined);
  const found = crc32(part.payload);
  if (found !== header.crc32) {
    throw new UnreadableData(
      `The stored data of step ${header.step.toLocaleString('en')} fails its checksum: the file ` +
        'was changed or copied in part.',
      `crc32 ${hex32(found)}, expected ${hex32(header.crc32)} · ${part.payload.length.toLocaleString('en')} bytes`,
    );
  }
  const frame = await inflating;
  return {
    step: header.step,
    queries: header.queries,
    keys: header.keys,
    queryLength: header.queryLength,
    keyLength: header.keyLength,
    causal: header.causal,
    hasNonfinite: header.hasNonfinite,
    outOfRange: header.outOfRange,
    pooling:
      header.queryPooling > 1 || header.keyPooling > 1
        ? { queries: header.queryPooling, keys: header.keyPooling }
        : undefined,
    weights: decodeWeights(frame, header.encoding, count, tables.get(header.codeTable)),
  };
}

export async function fetchFailures(
  request: MapRequest,
  signal?: AbortSignal,
): Promise<readonly FailureInfo[]> {
  const { generation, ...parameters } = request;
  const response = await get('failures', { ...parameters, v: generation }, signal);
  return FailuresResponse.decode(await bytes(response)).failures;
}

export interface AtlasRequest {
  readonly run: string;
  readonly step: number;
  readonly examples: readonly number[];
  /** Absent: every layer. */
  readonly layer?: string;
  /** Changes when the answer could. */
  readonly version: string;
}

export async function fetchAtlas(
  request: AtlasRequest,
  tables: Tables,
  signal?: AbortSignal,
): Promise<Tiles[]> {
  const response = await get(
    'atlas',
    {
      run: request.run,
      step: request.step,
      example: request.examples.join(','),
      ...(request.layer === undefined ? {} : { layer: request.layer }),
      v: request.version,
    },
    signal,
  );
  return Promise.all(
    splitParts(await response.arrayBuffer()).map(async ({ header: encoded, payload }) => {
      const header = AtlasHeader.decode(encoded);
      const size = header.heads * header.rows * header.columns;
      let problem = header.problem;
      let codes = new Uint8Array(0);
      if (!problem) {
        try {
          codes = await inflateRaw(payload, size);
        } catch (error) {
          problem = error instanceof Error ? error.message : String(error);
        }
      }
      return { ...header, codes, table: tables.get(header.codeTable), problem };
    }),
  );
}

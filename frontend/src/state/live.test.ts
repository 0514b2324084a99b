import { expect, test } from 'vitest';
import type { LayerInfo } from '../api/model';
import { looksLive, patience } from './live';

function layer(wallTimes: number[]): LayerInfo {
  return {
    name: 'a',
    steps: wallTimes.map((_, i) => i),
    wallTimes,
    heads: 1,
    queries: 2,
    keys: 3,
    causal: false,
    examples: [],
    exampleSteps: [0],
    generation: 'g',
    queryPooling: 0,
    keyPooling: 0,
  };
}

test('patience follows the pace of the records, within half a minute and a quarter of an hour', () => {
  expect(patience([0, 1, 2])).toBe(30);
  expect(patience([0, 60, 120, 180])).toBe(180);
  expect(patience([0, 9000, 18000])).toBe(900);
  expect(patience([])).toBe(30);
});

test('is live while the last record is young or the log grows before our eyes', () => {
  const recorded = layer([1000, 1001, 1002]);
  expect(looksLive(recorded, 1_010_000, 0)).toBe(true);
  expect(looksLive(recorded, 1_050_000, 0)).toBe(false);
  expect(looksLive(recorded, 9_000_000, 8_990_000)).toBe(true);
  expect(looksLive(layer([]), 0, 0)).toBe(false);
});

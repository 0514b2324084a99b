import { expect, test } from 'vitest';
import type { ExampleInfo, FailureInfo } from '../api/model';
import { failureLabel, failureSentence, isAlignment } from './failures';

const place: FailureInfo = { kind: '', firstQuery: 3, endQuery: 8, firstKey: 4, endKey: 5 };

test.each([
  ['skip', 'Skip, key 4', 'Skip: key 4 get next to nothing'],
  ['stall', 'Stall, queries 3–7', 'Stall: queries 3–7 stay on key 4'],
  ['backward_jump', 'Jump back, query 7', 'Jump back: query 7 goes from key 4 to 4'],
  [
    'of_a_later_version',
    'Of a later version, queries 3–7',
    'Of a later version: queries 3–7, key 4',
  ],
])('%s is said with its place', (kind, label, sentence) => {
  expect(failureLabel({ ...place, kind })).toBe(label);
  expect(failureSentence({ ...place, kind })).toBe(sentence);
});

function example(queries: string, keys: string): ExampleInfo {
  return {
    queryTokens: Array.from(queries),
    keyTokens: Array.from(keys),
    queryLength: queries.length,
    keyLength: keys.length,
  };
}

test('only two sequences can be aligned', () => {
  const layer = (name: string, causal = false) => ({ name, causal });
  expect(isAlignment(layer('decoder/luong'), example('abc', 'defg'))).toBe(true);
  expect(isAlignment(layer('any'), example('abc', 'abd'))).toBe(true);
  expect(isAlignment(layer('any'), example('abc', 'abc'))).toBe(false);
  expect(isAlignment(layer('any', true), example('abc', 'defg'))).toBe(false);
  expect(isAlignment(layer('any'), undefined)).toBe(false);
  const bare = { ...example('', ''), queryLength: 5, keyLength: 5 };
  expect(isAlignment(layer('decoder/cross_attention'), bare)).toBe(true);
  expect(isAlignment(layer('encoder/self_attention'), bare)).toBe(false);
  expect(isAlignment(layer('self'), bare)).toBe(false);
});

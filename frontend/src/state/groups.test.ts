import { expect, test } from 'vitest';
import { kindOf, shortNames } from './groups';

test.each([
  ['decoder/layer_0/cross_attention', 'cross'],
  ['decoder/layer_0/self_attention', 'decoder'],
  ['encoder/layer_3/self_attention', 'encoder'],
  ['decoder/luong_attention', 'other'],
  ['h.8/attn/self', 'other'],
  ['describe/attention', 'other'],
])('%s is %s attention', (name, kind) => {
  expect(kindOf(name)).toBe(kind);
});

test('names are shortened only when nothing but a number differs', () => {
  expect(shortNames(['h.0/attn', 'h.1/attn', 'h.11/attn'])).toEqual(['L0', 'L1', 'L11']);
  expect(shortNames(['h.0/attn', 'h.1/mlp'])).toBeNull();
  expect(shortNames(['alpha', 'beta'])).toBeNull();
  expect(shortNames(['only/1'])).toBeNull();
});

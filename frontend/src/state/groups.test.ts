import { expect, test } from 'vitest';
import type { LayerInfo } from '../api/model';
import { kindOf, shortHead, shortNames } from './groups';

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

test('a head is named in a few characters, as far as that tells it from the others', () => {
  const layers = (...names: string[]) => names.map((name) => ({ name, heads: 2 }) as LayerInfo);
  const one = [{ name: 'a', heads: 1 } as LayerInfo];
  expect(shortHead(one, 'a', 0)).toBe('');
  expect(shortHead(layers('decoder/cross'), 'decoder/cross', 1)).toBe('H1');
  expect(shortHead(layers('h.0/attn', 'h.11/attn'), 'h.11/attn', 1)).toBe('L11 H1');
  const both = layers('encoder/layer_0/self_attention', 'decoder/layer_0/cross_attention');
  expect(both.map((layer) => shortHead(both, layer.name, 1))).toEqual(['enc L0 H1', 'cross L0 H1']);
  expect(shortHead(layers('net/alpha', 'net/beta'), 'net/beta', 0)).toBe('beta H0');
});

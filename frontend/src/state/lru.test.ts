import { expect, test } from 'vitest';
import { ByteLru } from './lru';

function lru(capacity: number): ByteLru<string> {
  return new ByteLru(capacity, (value) => value.length);
}

test('forgets the least recently used first, and reading counts as use', () => {
  const cache = lru(9);
  cache.set('a', 'xxx');
  cache.set('b', 'xxx');
  cache.set('c', 'xxx');
  cache.get('a');
  cache.set('d', 'xxx');
  expect(['a', 'b', 'c', 'd'].filter((key) => cache.has(key))).toEqual(['a', 'c', 'd']);
  expect(cache.bytes).toBe(9);
});

test('is bounded in bytes, not in entries', () => {
  const cache = lru(10);
  for (let i = 0; i < 20; i++) cache.set(String(i), 'x'.repeat(5));
  expect(cache.bytes).toBe(10);
  expect(cache.has('19') && cache.has('18') && !cache.has('17')).toBe(true);
});

test('replacing an entry counts its bytes once', () => {
  const cache = lru(10);
  cache.set('a', 'xxxxxx');
  cache.set('a', 'xx');
  expect(cache.bytes).toBe(2);
});

test('keeps the newest even when it alone is too large', () => {
  const cache = lru(4);
  cache.set('small', 'x');
  cache.set('large', 'xxxxxxxx');
  expect([cache.has('small'), cache.get('large')]).toEqual([false, 'xxxxxxxx']);
});

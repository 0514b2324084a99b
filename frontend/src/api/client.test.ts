import { afterEach, expect, test, vi } from 'vitest';
import { fetchEvents } from './client';

afterEach(() => {
  vi.unstubAllGlobals();
});

test('a server that does not answer is said in our words, not the browser’s', async () => {
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('Failed to fetch')));
  await expect(fetchEvents('run')).rejects.toThrow('The server did not answer.');
});

test('a question that was taken back stays one', async () => {
  vi.stubGlobal('fetch', () => Promise.reject(new DOMException('gone', 'AbortError')));
  await expect(fetchEvents('run')).rejects.toMatchObject({ name: 'AbortError' });
});

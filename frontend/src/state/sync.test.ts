import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Host } from './host';
import { syncWithAddress } from './sync';
import { createView } from './view';

/** An address that tells of changes made by hand only when asked to, as browsers do it later. */
function address(start: string) {
  let hash = start;
  const listeners: (() => void)[] = [];
  const host = {
    readHash: () => hash,
    writeHash: (to: string) => (hash = to),
    onHashChange: (listener: () => void) => void listeners.push(listener),
  } as unknown as Host;
  return {
    host,
    now: () => hash,
    byHand: (to: string) => (hash = to),
    tell: () => listeners.forEach((listener) => listener()),
  };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

test('what is chosen is in the address, at once after a pause and soon otherwise', () => {
  const page = address('#attention');
  const view = createView();
  syncWithAddress(page.host, view);
  vi.advanceTimersByTime(1000);
  view.head.value = 3;
  expect(page.now()).toBe('#attention&p.attention.head=3');
  view.head.value = 5;
  expect(page.now()).toBe('#attention&p.attention.head=3');
  vi.advanceTimersByTime(250);
  expect(page.now()).toBe('#attention&p.attention.head=5');
});

test('a change made by hand is not written over before the browser has told of it', () => {
  const page = address('#attention');
  const view = createView();
  syncWithAddress(page.host, view);
  view.head.value = 3; // written a moment later
  page.byHand('#attention&p.attention.head=7');
  vi.advanceTimersByTime(300);
  expect(page.now()).toBe('#attention&p.attention.head=7');
  page.tell();
  expect(view.head.value).toBe(7);
  vi.advanceTimersByTime(1000);
  expect(page.now()).toBe('#attention&p.attention.head=7');
  // And from then on as before.
  view.head.value = 2;
  vi.advanceTimersByTime(300);
  expect(page.now()).toBe('#attention&p.attention.head=2');
});

test('an address that TensorBoard writes in its own way is written on', () => {
  const page = address('#attention');
  const view = createView();
  syncWithAddress(page.host, view);
  vi.advanceTimersByTime(1000);
  view.run.value = 'a/b';
  page.byHand('#attention&p.attention.run=a/b'); // not told
  view.head.value = 3;
  vi.advanceTimersByTime(1000);
  expect(page.now()).toBe('#attention&p.attention.run=a%2Fb&p.attention.head=3');
});

test('another tab’s address is left alone', () => {
  const page = address('#scalars&tagFilter=x');
  const view = createView();
  syncWithAddress(page.host, view);
  view.head.value = 3;
  vi.advanceTimersByTime(1000);
  expect(page.now()).toBe('#scalars&tagFilter=x');
});

import { expect, test } from 'vitest';
import { runningText, runningToken, tokenLabel } from './tokens';

test.each([
  ['a', 'a'],
  [' ', '␣'],
  [' the', '␣the'],
  ['\n', '↵'],
  ['</s>', '⟨/s⟩'],
  ['', '∅'],
  ['\u202Eevil', '⟨U+202E⟩evil'],
  ['a\u200Bb', 'a⟨U+200B⟩b'],
  ['a\u200Db', 'a⟨U+200D⟩b'],
  ['\u200D', '⟨U+200D⟩'],
  ['👩\u200D👧', '👩\u200D👧'],
  ['❤\uFE0F\u200D🔥', '❤\uFE0F\u200D🔥'],
  ['👩\u200D', '👩⟨U+200D⟩'],
  ['می\u200Cخواهم', 'می\u200Cخواهم'],
  ['क्\u200Dष', 'क्\u200Dष'],
  ['می\u200C', 'می⟨U+200C⟩'],
  ['\u0000', '⟨U+0000⟩'],
  ['\u2028', '⟨U+2028⟩'],
  ['\u00A0', '⟨U+00A0⟩'],
  ['\uD800', '⟨U+D800⟩'],
  ['\u0301', '◌\u0301'],
  ['<img src=x onerror=alert(1)>', '<img␣src=x␣onerror=alert(1)>'],
  ['😀é', '😀é'],
])('%j is shown as %j', (token, label) => {
  expect(tokenLabel(token)).toBe(label);
});

test('a label has at most 64 characters, counted as people do', () => {
  expect(Array.from(tokenLabel('😀'.repeat(100)))).toHaveLength(64);
  expect(tokenLabel('x'.repeat(64))).toBe('x'.repeat(64));
  expect(tokenLabel('x'.repeat(65))).toBe(`${'x'.repeat(63)}…`);
  expect(Array.from(tokenLabel('y'.repeat(1_000_000)))).toHaveLength(64);
});

test('running text keeps spaces, not bidi overrides', () => {
  expect(runningToken('a \u202Eb')).toBe('a ⟨U+202E⟩b');
});

test.each([
  [['1', '9', ' ', 'm', 'á', '</s>'], '19 má'],
  [['1', '9', '-', '⟨/s⟩'], '19-'],
  [['the', 'quick', 'fox'], 'the quick fox'],
  [['▁the', '▁qu', 'ick'], 'the quick'],
  [['un', '##able', 'to'], 'unable to'],
  [['the', ' quick'], 'the quick'],
  [[], ''],
])('%j reads %j', (tokens, text) => {
  expect(runningText(tokens)).toBe(text);
});

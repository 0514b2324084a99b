/**
 * Tokens are data from outside: they may hold anything. Here they become text that shows what is
 * in them and cannot reorder, hide or blow up what stands around it.
 */
export const LABEL_LENGTH = 64;

const NAMED: ReadonlyMap<string, string> = new Map([
  [' ', '␣'],
  ['\n', '↵'],
  ['\t', '⇥'],
]);

// Controls, format characters (bidi overrides, zero-width), lone surrogates, private use,
// unassigned, line and paragraph separators, and spaces that look like nothing or like another one.
const HIDDEN = /^[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Zs}]$/u;
const COMBINING = /^\p{M}$/u;

const END_TOKENS: ReadonlySet<string> = new Set([
  '</s>',
  '⟨/s⟩',
  '<eos>',
  '<EOS>',
  '[EOS]',
  '<|endoftext|>',
]);

export function isEndToken(token: string): boolean {
  return END_TOKENS.has(token);
}

/** A token of a tokenizer's own, `[CLS]` or `<s>`, rather than of the text. */
export function isSpecialToken(token: string): boolean {
  return /^(<\|?[^<>\s]{1,24}\|?>|\[[A-Z0-9_]{2,16}\]|⟨[^⟩\s]{1,24}⟩)$/.test(token);
}

function codePoint(character: string): string {
  const value = character.codePointAt(0) ?? 0;
  return `⟨U+${value.toString(16).toUpperCase().padStart(4, '0')}⟩`;
}

const EMOJI = /^[\p{Extended_Pictographic}\p{Emoji_Modifier}\ufe0f]$/u;
const LETTER = /^[\p{L}\p{M}]$/u;
/** Letters that no joiner changes: between them it would only hide. */
const UNJOINED =
  /^[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]$/u;

/** Zero-width joiners and non-joiners are spelling: in one emoji, and in Persian or Hindi words. */
function joins(character: string, before = '', after = ''): boolean {
  if (character !== '\u200d' && character !== '\u200c') return false;
  const both = (pattern: RegExp) => pattern.test(before) && pattern.test(after);
  if (both(EMOJI)) return true;
  return both(LETTER) && !UNJOINED.test(before) && !UNJOINED.test(after);
}

function safe(text: string, spaces: boolean): string {
  const characters = Array.from(text);
  let out = '';
  let first = true;
  for (const [i, character] of characters.entries()) {
    if (joins(character, characters[i - 1], characters[i + 1])) out += character;
    else if (spaces && character === ' ') out += ' ';
    else if (NAMED.has(character)) out += NAMED.get(character) ?? '';
    else if (HIDDEN.test(character)) out += codePoint(character);
    else if (first && COMBINING.test(character)) out += `◌${character}`;
    else out += character;
    first = false;
  }
  return out;
}

function clip(text: string, length: number): string {
  const characters = Array.from(text);
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join('')}…`;
}

/** A token as a label: every character visible, at most `length` of them. */
export function tokenLabel(token: string, length = LABEL_LENGTH): string {
  if (token === '') return '∅';
  if (token === '</s>') return '⟨/s⟩';
  // A token of a million characters is cut before it is looked at, one by one.
  return clip(safe(token.slice(0, 4 * length), false), length);
}

/** A token in full for a tooltip, as far as a tooltip goes. */
export function tokenTitle(token: string): string {
  return clip(safe(token.slice(0, 2000), false), 1000);
}

/** A token within running text: its spaces are spaces. */
export function runningToken(token: string): string {
  if (isEndToken(token) || token === '') return tokenLabel(token);
  return clip(safe(token.slice(0, 256).replace(/[▁Ġ]/g, ' '), true), LABEL_LENGTH);
}

/** What stands between two tokens of running text: nothing, or a space when tokens are words. */
export function separatorOf(tokens: readonly string[]): '' | ' ' {
  const own = tokens.filter(
    (token) => token.length > 1 && !/^[<⟨].*[>⟩]$|^\[[A-Z]+\]$/.test(token),
  );
  // Vocabularies that mark word starts do so on many tokens; a stray newline is no such mark.
  const marked = tokens.filter((token) => /^[ ▁Ġ]|^\s$/.test(token)).length;
  return own.length > 0 && marked * 8 < own.length ? ' ' : '';
}

/** Tokens as one line of text without the end token, for lists and pickers. */
export function runningText(tokens: readonly string[], length = 160): string {
  const visible = tokens.slice(0, length).filter((token) => !isEndToken(token));
  const separator = separatorOf(visible);
  const text = visible
    .map((token) => (separator && token.startsWith('##') ? token.slice(2) : separator + token))
    .map(runningToken)
    .join('');
  return clip(text.trim(), length);
}

/**
 * Everything we take from TensorBoard's page around our frame. It may be another origin or another
 * program one day, so every access may fail and then has a substitute.
 */
export interface Host {
  readHash(): string;
  writeHash(hash: string): void;
  onHashChange(listener: () => void): void;
  /** Address of the page a person sees, for copying. */
  address(): string;
  observeDark(listener: (dark: boolean) => void): void;
  observeVisible(listener: (visible: boolean) => void): void;
  /**
   * Keys pressed while our tab is shown and nothing on TensorBoard's page has the focus: until one
   * presses into the frame, that is where they go. Those with Ctrl, Alt or Meta stay TensorBoard's.
   */
  onOuterKey(listener: (event: KeyboardEvent) => void): void;
  copyFonts(): void;
}

function outer(): Window {
  try {
    // Reading a property is what another origin forbids.
    void window.parent.location.hash;
    return window.parent;
  } catch {
    return window;
  }
}

export function createHost(): Host {
  const page = outer();
  return {
    readHash: () => page.location.hash,

    writeHash(hash) {
      if (page.location.hash === hash) return;
      try {
        page.history.replaceState(page.history.state, '', hash);
      } catch {
        // Browsers limit how often an address may change; the next change brings it up to date.
      }
    },

    onHashChange(listener) {
      page.addEventListener('hashchange', listener);
    },

    address: () => page.location.href,

    observeDark(listener) {
      const body = page === window ? null : page.document.body;
      if (body) {
        const tell = () => listener(body.classList.contains('dark-mode'));
        new MutationObserver(tell).observe(body, { attributes: true, attributeFilter: ['class'] });
        tell();
        return;
      }
      const query = window.matchMedia('(prefers-color-scheme: dark)');
      query.addEventListener('change', () => listener(query.matches));
      listener(query.matches);
    },

    observeVisible(listener) {
      // TensorBoard keeps the frame of a hidden tab alive, with no height.
      const tell = () => listener(window.innerHeight > 0);
      new ResizeObserver(tell).observe(document.documentElement);
      window.addEventListener('resize', tell);
      tell();
    },

    onOuterKey(listener) {
      if (page === window) return;
      const heard = (event: KeyboardEvent) => {
        if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
        // A hidden tab's frame has no height.
        if (window.innerHeight === 0 || !nothingFocused(page.document)) return;
        listener(event);
      };
      try {
        page.document.addEventListener('keydown', heard);
        window.addEventListener('pagehide', () => {
          page.document.removeEventListener('keydown', heard);
        });
      } catch {
        // Then keys work from the first press into the frame on.
      }
    },

    copyFonts() {
      if (page === window) return;
      try {
        const rules = [...page.document.styleSheets].flatMap(fontFaces);
        if (rules.length === 0) return;
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(rules.join('\n'));
        document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
      } catch {
        // The system's fonts in the tokens are the substitute.
      }
    },
  };
}

function nothingFocused(page: Document): boolean {
  const { activeElement } = page;
  return activeElement === null || activeElement === page.body;
}

/** The `@font-face` rules for Roboto of one sheet, their addresses made absolute. */
function fontFaces(sheet: CSSStyleSheet): string[] {
  let rules: CSSRule[];
  try {
    rules = [...sheet.cssRules];
  } catch {
    return [];
  }
  const base = sheet.href ?? sheet.ownerNode?.baseURI ?? document.baseURI;
  return rules
    .map((rule) => rule.cssText)
    .filter((text) => text.startsWith('@font-face') && text.includes('Roboto'))
    .map((text) =>
      text.replace(
        /url\((["']?)([^"')]+)\1\)/g,
        (_, __, url: string) => `url("${new URL(url, base).href}")`,
      ),
    );
}

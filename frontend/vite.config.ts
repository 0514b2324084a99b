import { defineConfig } from 'vitest/config';

// TensorBoard imports exactly one module and calls its `render()`: everything, CSS included, goes
// into `index.js`. Not library mode, which would keep more code than an application needs.
export default defineConfig({
  base: './',
  publicDir: false,
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: '../tb_attention_plugin/static',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: false,
    sourcemap: false,
    reportCompressedSize: false,
    rolldownOptions: {
      input: { index: 'src/main.ts' },
      preserveEntrySignatures: 'strict',
      output: {
        format: 'es',
        entryFileNames: '[name].js',
        codeSplitting: false,
      },
    },
  },
  test: {
    // Component tests ask for happy-dom by themselves; it takes a second per file.
    environment: 'node',
    include: ['src/**/*.test.{ts,tsx}'],
    restoreMocks: true,
  },
});

// Generates src/gen/attention.ts from the one declaration of the data model. The compiler comes
// from Python's grpcio-tools, so that both languages use the same one: set PYTHON to choose it.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const frontend = dirname(dirname(fileURLToPath(import.meta.url)));
const source = join(frontend, '..', 'tb_attention_plugin', 'store');
const target = join(frontend, 'src', 'gen');
mkdirSync(target, { recursive: true });

const options = [
  'annotateFilesWithVersion=false', // the lock file says it, and the output stays the same
  'enumsAsLiterals=true',
  'env=browser',
  'esModuleInterop=true',
  'forceLong=number',
  'outputEncodeMethods=decode-only',
  'outputJsonMethods=false',
  'outputPartialMethods=false',
  'outputServices=none',
  'unrecognizedEnum=false',
];
const python = process.env.PYTHON ?? 'python3';
const result = spawnSync(
  python,
  [
    '-m',
    'grpc_tools.protoc',
    `--plugin=protoc-gen-ts_proto=${join(frontend, 'node_modules', '.bin', 'protoc-gen-ts_proto')}`,
    `--ts_proto_out=${target}`,
    `--ts_proto_opt=${options.join(',')}`,
    `--proto_path=${source}`,
    'attention.proto',
  ],
  { stdio: 'inherit' },
);
if (result.error) {
  console.error(`Could not start ${python}: ${result.error.message}`);
}
process.exit(result.status ?? 1);

import test from 'ava';
import { execa } from 'execa';
import fc from 'fast-check';
import { duplicateKey } from '../../src/snapshot/duplicate-key.js';
import { reasonAgainstCommands, testUnless } from '../left-out.js';

const TEXTS: readonly [text: string, key: string | undefined][] = [
  ['{"a":1,"a":2}', 'a'],
  ['{"a":1,"b":{"a":{"a":"a"}},"c":[{"a":1},{"a":1}]}', undefined],
  ['{"a":[{"b":"{"}],"a":1}', 'a'],
  ['[{"x":1},{"y":{"z":[],"z":[]}}]', 'z'],
  [String.raw`{"a":1,"\u0061":2}`, 'a'],
  [String.raw`{"\\":"\"","\"":"\\","a":"\\\"","b":":"}`, undefined],
  [String.raw`{"\"":1 , "\"" : 2}`, '"'],
  ['{"a" \n\t:1,"b":"a","a"\r\n :2}', 'a'],
  ['{"":1,"":2}', ''],
  ['{"__proto__":1,"__proto__":2}', '__proto__'],
  ['["a","a",{"a":"a"}]', undefined],
  ['"a"', undefined],
];

testUnless(reasonAgainstCommands('python3'), 'finds the keys that python finds twice', async (t) => {
  const script = `import json, sys
def pairs(items):
    names = [name for name, _ in items]
    found.extend(name for name in names if names.count(name) > 1)
for text in json.load(sys.stdin):
    found = []
    json.loads(text, object_pairs_hook=pairs)
    print(json.dumps(found[0] if found else None))`;
  const { stdout } = await execa('python3', ['-c', script], { input: JSON.stringify(TEXTS.map(([text]) => text)) });
  t.deepEqual(
    stdout.split('\n').map((line) => (JSON.parse(line) as string | null) ?? undefined),
    TEXTS.map(([, key]) => key),
  );
  for (const [text, key] of TEXTS) t.is(duplicateKey(text), key, text);
});

test('finds none in what JSON.stringify() writes, and each that is put into it', (t) => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }), fc.nat(), (value, at) => {
      const text = JSON.stringify(value);
      t.is(duplicateKey(text), undefined);
      const keys = Object.keys(value);
      const key = keys[at % keys.length] ?? '';
      t.is(duplicateKey(`${text.slice(0, -1)},${JSON.stringify(key)}:0}`), key);
    }),
    { numRuns: 1000 },
  );
});

import tseslint from 'typescript-eslint';

export default tseslint.config(
  {
    ignores: [
      'dist/',
      '**/build/',
      'coverage/',
      'work/',
      '.cache/',
      'src/native/layout.ts',
      'src/tls/iana.ts',
      'src/report/html/page-assets.ts',
    ],
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      'no-restricted-imports': [
        'error',
        { patterns: [{ group: ['**/native/build/*'], message: 'only src/native loads the addon' }] },
      ],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/consistent-type-definitions': ['error', 'interface'],
    },
  },
  // What must run before anything is built is plain JavaScript, outside every tsconfig.
  { files: ['**/*.js', '**/*.mjs'], extends: [tseslint.configs.strict] },
  {
    files: ['src/tls/**', 'src/report/**'],
    rules: {
      'no-restricted-imports': [
        'error',
        { patterns: ['node:fs*', 'node:net', 'node:child_process', 'node:http*', 'node:worker_threads'] },
      ],
    },
  },
);

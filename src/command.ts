import { Command, Errors, Flags, type Interfaces } from '@oclif/core';
import type { ErrorKind } from './errors.js';
import { described, EXIT, exitCodeOf, exitCodeOfKind, inPlainWords, isClosedPipe } from './failure.js';
import { printable, printableJson } from './terminal.js';

/** The flags that mean one thing everywhere; a command takes those it needs. `--json` is every command's. */
export const sharedFlags = {
  output: Flags.string({
    char: 'o',
    helpValue: 'FILE',
    description: 'write here, never over an existing file; - is stdout',
  }),
  quiet: Flags.boolean({ char: 'q', description: 'print nothing but errors' }),
  verbose: Flags.boolean({ char: 'v', description: 'print more detail', exclusive: ['quiet'] }),
};

/** `--quiet` of a command that writes its result to stdout, and a summary of it to stderr. */
export const quietBesideResult = Flags.boolean({
  char: 'q',
  description: 'print the result, and nothing beside it but errors',
});

/**
 * The base of every command: owns `--json`, warnings, errors and exit codes.
 * A command parses its flags, makes one call, returns an object, and says with `found()` that something was found.
 */
export abstract class BaseCommand extends Command {
  static override enableJsonFlag = true;
  readonly #warnings: string[] = [];

  /** Ends the command with exit code 1 once its result is out: a hit, a difference, a failed check, a loss. */
  protected found(): void {
    process.exitCode = EXIT.found;
  }

  /** Ends with the exit code of an error of this kind, where the result itself says what is wrong. */
  protected fallsShort(kind: ErrorKind): void {
    process.exitCode = exitCodeOfKind(kind);
  }

  /** Says it on stderr, and under `--json` in the result's `warnings`, where oclif would drop it. */
  override warn(input: Error | string): Error | string {
    const text = printable(typeof input === 'string' ? input : input.message);
    this.#warnings.push(text);
    super.warn(text);
    return input;
  }

  protected override async parse<
    Flags extends Interfaces.OutputFlags<Interfaces.FlagInput>,
    Base extends Interfaces.OutputFlags<Interfaces.FlagInput>,
    Args extends Interfaces.OutputArgs<Interfaces.ArgInput>,
  >(
    options?: Interfaces.Input<Flags, Base, Args>,
    argv?: string[],
  ): Promise<Interfaces.ParserOutput<Flags, Base, Args>> {
    const parsed = await super.parse(options, argv);
    const { output } = parsed.flags as { readonly output?: string };
    if (output === '') throw usageError('--output: an empty name is no file');
    // Two documents in one stream are neither.
    if (output === '-' && this.jsonEnabled()) throw usageError('--json: the output itself goes to stdout');
    return parsed;
  }

  protected override async catch(error: Interfaces.CommandError): Promise<never> {
    // `--json` makes oclif swallow the error and exit 1: both places must carry our code.
    const exit = exitCodeOf(error);
    process.exitCode = exit;
    // Whoever reads has enough, as head(1) does: nobody is there to be told.
    if (isClosedPipe(error)) throw new Errors.ExitError(exit);
    if (error instanceof Errors.CLIError) inPlainWords(error);
    if (this.jsonEnabled()) return super.catch(error) as Promise<never>;
    if (error instanceof Errors.CLIError) throw error;
    const { message, suggestions } = described(error, this.config.version);
    throw new Errors.CLIError(message, { exit, ...(suggestions.length > 0 && { suggestions }) });
  }

  protected override toErrorJson(error: unknown): unknown {
    return { error: { code: exitCodeOf(error), ...described(error, this.config.version) } };
  }

  protected override toSuccessJson(result: unknown): unknown {
    if (this.#warnings.length === 0 || typeof result !== 'object') return result;
    return { ...result, warnings: this.#warnings };
  }

  protected override logJson(json: unknown): void {
    process.stdout.write(`${printableJson(json)}\n`);
  }
}

function usageError(message: string): Error {
  return new Errors.CLIError(message, { exit: EXIT.usage, suggestions: ['Name a file with --output.'] });
}

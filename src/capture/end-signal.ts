/** Turns Ctrl-C and SIGTERM into the end of the window; a second one ends the process as usual. */
export function endSignal(): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const end = (): void => {
    controller.abort();
    release();
  };
  const release = (): void => {
    for (const name of SIGNALS) process.off(name, end);
  };
  for (const name of SIGNALS) process.on(name, end);
  return { signal: controller.signal, release };
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * The only format version this build writes and reads; docs/format.md is its specification. Apart from the schema, whose library
 * takes a writer that validates nothing a tenth of a second to load.
 */
export const FORMAT_VERSION = 1;

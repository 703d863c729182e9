/** What `report` can write. The names are the command's. */
export const REPORT_FORMATS = ['csv', 'timesketch', 'l2tcsv', 'ecs', 'ocsf', 'zeek', 'pcapng', 'html'] as const;
export type ReportFormat = (typeof REPORT_FORMATS)[number];

/** The tables of `--format csv`. */
export const REPORT_TABLES = ['handshakes', 'processes', 'fingerprints', 'sockets', 'matches'] as const;
export type ReportTable = (typeof REPORT_TABLES)[number];

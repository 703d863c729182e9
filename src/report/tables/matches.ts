import type { Hit } from '../../intel/hit.js';
import { json, number, text, type Column } from './column.js';

/** A hit, in the columns of `match --format csv` without the snapshot's name, but with its reasons as a list. */
export const MATCH_COLUMNS: readonly Column<Hit>[] = [
  text('time', (hit) => hit.time),
  text('confidence', (hit) => hit.confidence),
  json('why', (hit) => hit.why),
  text('feed', (hit) => hit.feed),
  text('feed_format', (hit) => hit.feedFormat),
  number('feed_line', (hit) => hit.indicator.line),
  text('indicator_type', (hit) => hit.indicator.type),
  text('indicator', (hit) => hit.indicator.value),
  text('description', (hit) => hit.indicator.description),
  text('first_seen', (hit) => hit.indicator.firstSeen),
  text('last_seen', (hit) => hit.indicator.lastSeen),
  text('matched_field', (hit) => hit.matched.field),
  text('matched_form', (hit) => hit.matched.form),
  number('seq', (hit) => hit.event),
  text('kind', (hit) => hit.kind),
  text('server_name', (hit) => hit.serverName),
  number('pid', (hit) => hit.process?.pid),
  text('start_time_ns', (hit) => hit.process?.startTimeNs),
  text('comm', (hit) => hit.process?.comm),
  text('exe', (hit) => hit.process?.exe),
  text('src', (hit) => hit.flow?.src),
  number('src_port', (hit) => hit.flow?.srcPort),
  text('dst', (hit) => hit.flow?.dst),
  number('dst_port', (hit) => hit.flow?.dstPort),
];

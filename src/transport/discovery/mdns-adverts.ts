/**
 * What an mDNS packet says, as candidates, and a candidate as the records that say it. The service type is `openclaw`,
 * the instance name the node id, TXT {type, capabilities as CSV, version}. Nothing in a packet is believed but that it
 * came from where it came from: the address of a candidate is that of the sender, never one that a record names.
 * @see RFC 6762 (multicast DNS), RFC 6763 (service discovery)
 */
import { Service } from 'bonjour-service';
import { joinAddress } from './address.ts';
import { Candidate, type Self } from './source.ts';

export const SERVICE_TYPE = 'openclaw';
/** What a browser asks for. */
export const SERVICE_NAME = `_${SERVICE_TYPE}._tcp.local`;

const LABEL_CHARACTERS_MAX = 63;
const TXT_BYTES_MAX = 255;

/** A record of a packet, as far as it is looked at. */
export interface DnsRecord {
  readonly name: string;
  readonly type: string;
  readonly ttl?: number;
  readonly data?: unknown;
}

export interface DnsResponse {
  readonly answers?: readonly DnsRecord[];
  readonly additionals?: readonly DnsRecord[];
}

export type Advert =
  | { readonly type: 'up'; readonly candidate: Candidate; readonly ttlMs: number }
  | { readonly type: 'down'; readonly nodeId: string }
  | { readonly type: 'malformed'; readonly why: string };

/** The adverts of our service in a response that came from `sender`. Takes time linear in the records, whatever they say. */
export function readAdverts(response: DnsResponse, sender: string): readonly Advert[] {
  const records = [...(response.answers ?? []), ...(response.additionals ?? [])];
  const services = new Map<string, DnsRecord>();
  const texts = new Map<string, DnsRecord>();
  for (const record of records) {
    const name = keyOf(record.name);
    if (record.type === 'SRV' && !services.has(name)) services.set(name, record);
    if (record.type === 'TXT' && !texts.has(name)) texts.set(name, record);
  }
  const seen = new Set<string>();
  return records.flatMap((record): Advert[] => {
    if (record.type !== 'PTR' || keyOf(record.name) !== SERVICE_NAME || typeof record.data !== 'string') return [];
    const name = keyOf(record.data);
    if (seen.has(name)) return [];
    seen.add(name);
    const label = labelOf(record.data);
    if (label === null) return [{ type: 'malformed', why: 'an instance of another service' }];
    const fields = fieldsOf(texts.get(name));
    const nodeId = idOf(label, fields);
    const service = services.get(name);
    if (record.ttl === 0) return [{ type: 'down', nodeId }];
    return [advertOf(nodeId, service, fields, sender)];
  });
}

/** The records that announce somebody who listens at `host` and `port`, and at no other address of this machine. */
export function recordsOf(self: Self, host: string, port: number): { records: DnsRecord[]; isWhole: boolean } {
  const label = labelFor(self.nodeId);
  const capabilities = fitting(self.capabilities);
  const service = new Service(
    {
      name: label,
      type: SERVICE_TYPE,
      port,
      host: `${label}.local`,
      txt: {
        type: self.type,
        capabilities: capabilities.join(','),
        version: self.version ?? '',
        // An instance name is one DNS label: an id that is none travels beside it.
        ...(label === self.nodeId ? {} : { id: self.nodeId }),
      },
    },
    () => {},
    () => {},
  );
  // The library would name every address of every interface.
  const records = service.records().filter(({ type }) => type !== 'A' && type !== 'AAAA');
  records.push({ name: service.host, type: 'A', ttl: 120, data: host });
  return { records, isWhole: capabilities.length === self.capabilities.length };
}

function advertOf(
  nodeId: string,
  service: DnsRecord | undefined,
  fields: ReadonlyMap<string, string>,
  sender: string,
): Advert {
  const port = portOf(service?.data);
  if (service === undefined || port === null) return { type: 'malformed', why: 'no SRV record with a port' };
  const version = fields.get('version');
  const checked = Candidate.safeParse({
    nodeId,
    type: fields.get('type'),
    address: joinAddress(sender, port),
    capabilities: listOf(fields.get('capabilities')),
    ...(version === undefined || version === '' ? {} : { version }),
    via: 'mdns',
  });
  if (!checked.success) {
    const [issue] = checked.error.issues;
    return { type: 'malformed', why: `${issue?.path.join('.')}: ${issue?.message}` };
  }
  return { type: 'up', candidate: checked.data, ttlMs: Math.max(1, service.ttl ?? 0) * 1_000 };
}

function portOf(data: unknown): number | null {
  const port = typeof data === 'object' && data !== null && 'port' in data ? data.port : null;
  return typeof port === 'number' && Number.isInteger(port) && port >= 1 && port <= 65_535 ? port : null;
}

/** The known fields of a TXT record; an empty value is a value, a missing one is not there. */
function fieldsOf(record: DnsRecord | undefined): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  const data: unknown = record?.data;
  for (const item of Array.isArray(data) ? data : [data]) {
    if (!Buffer.isBuffer(item)) continue;
    const text = item.toString('utf8');
    const equals = text.indexOf('=');
    if (equals < 1) continue;
    const key = text.slice(0, equals).toLowerCase();
    if (!fields.has(key)) fields.set(key, text.slice(equals + 1));
  }
  return fields;
}

function listOf(csv: string | undefined): string[] {
  const names = (csv ?? '').split(',').map((name) => name.trim());
  return [...new Set(names.filter((name) => name !== ''))];
}

function fitting(capabilities: readonly string[]): string[] {
  const fit: string[] = [];
  let bytes = 'capabilities='.length;
  for (const capability of capabilities) {
    bytes += capability.length + 1;
    if (bytes > TXT_BYTES_MAX) break;
    fit.push(capability);
  }
  return fit;
}

function labelFor(nodeId: string): string {
  return nodeId.replaceAll('.', '-').slice(0, LABEL_CHARACTERS_MAX);
}

function idOf(label: string, fields: ReadonlyMap<string, string>): string {
  const id = fields.get('id');
  return id !== undefined && labelFor(id) === label ? id : label;
}

function labelOf(name: string): string | null {
  const suffix = `.${SERVICE_NAME}`;
  const label = name.slice(0, -suffix.length);
  return name.toLowerCase().endsWith(suffix) && label !== '' && !label.includes('.') ? label : null;
}

/** DNS names differ in nothing but case are one name. */
function keyOf(name: unknown): string {
  return typeof name === 'string' ? name.toLowerCase() : '';
}

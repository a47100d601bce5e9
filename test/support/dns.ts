/** DNS packets written by hand, as no library would write them: what a forger or a broken device sends. */
import { createSocket, type Socket } from 'node:dgram';

export interface RawRecord {
  readonly name: string;
  readonly type: 'PTR' | 'SRV' | 'TXT' | 'A';
  readonly ttl?: number;
  readonly data: Buffer;
}

const NUMBERS = { A: 1, PTR: 12, TXT: 16, SRV: 33 };
export const MDNS_GROUP = '224.0.0.251';

export function nameOf(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  return Buffer.concat([...labels, Buffer.from([0])]);
}

export function responseOf(records: readonly RawRecord[]): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt16BE(0x8400, 2);
  header.writeUInt16BE(records.length, 6);
  return Buffer.concat([
    header,
    ...records.map(({ name, type, ttl = 120, data }) => {
      const fields = Buffer.alloc(10);
      fields.writeUInt16BE(NUMBERS[type], 0);
      fields.writeUInt16BE(1, 2);
      fields.writeUInt32BE(ttl, 4);
      fields.writeUInt16BE(data.length, 8);
      return Buffer.concat([nameOf(name), fields, data]);
    }),
  ]);
}

/** The records of one advert; `txt` as raw strings. */
export function advertOf(
  nodeId: string,
  options: { port?: number; target?: string; txt?: readonly string[]; ttl?: number } = {},
): RawRecord[] {
  const {
    port = 7_443,
    target = 'elsewhere.local',
    txt = ['type=agent', 'capabilities=llm', 'version=1'],
    ttl,
  } = options;
  const name = `${nodeId}._openclaw._tcp.local`;
  const service = Buffer.alloc(6);
  service.writeUInt16BE(port, 4);
  const life = ttl === undefined ? {} : { ttl };
  return [
    { name: '_openclaw._tcp.local', type: 'PTR', data: nameOf(name), ...life },
    { name, type: 'SRV', data: Buffer.concat([service, nameOf(target)]), ...life },
    {
      name,
      type: 'TXT',
      data: Buffer.concat(txt.map((item) => Buffer.concat([Buffer.from([item.length]), Buffer.from(item)]))),
      ...life,
    },
    { name: target, type: 'A', data: Buffer.from([169, 254, 169, 254]), ...life },
  ];
}

export interface Forger {
  send(packet: Buffer): Promise<void>;
  close(): Promise<void>;
}

/** A socket that sends whatever it is told to everybody on loopback, from `address` and the port of mDNS. */
export async function openForger(port: number, address = '127.0.0.1'): Promise<Forger> {
  const socket: Socket = createSocket({ type: 'udp4', reuseAddr: true });
  await new Promise<void>((resolve) => socket.bind(port, address, resolve));
  socket.setMulticastInterface('127.0.0.1');
  return {
    send: (packet) =>
      new Promise((resolve, reject) => {
        socket.send(packet, port, MDNS_GROUP, (error) => (error ? reject(error) : resolve()));
      }),
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

/** Whether this machine carries multicast over loopback. Where it does not, nothing about mDNS can be shown. */
export async function hasMulticast(port: number): Promise<boolean> {
  const ear = createSocket({ type: 'udp4', reuseAddr: true });
  let forger: Forger | null = null;
  try {
    await new Promise<void>((resolve) => ear.bind(port, '0.0.0.0', resolve));
    ear.addMembership(MDNS_GROUP, '127.0.0.1');
    forger = await openForger(port);
    const heard = new Promise<boolean>((resolve) => ear.once('message', () => resolve(true)));
    for (let tries = 0; tries < 20; tries += 1) {
      await forger.send(responseOf([]));
      const late = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 100));
      if (await Promise.race([heard, late])) return true;
    }
    return false;
  } catch {
    return false;
  } finally {
    ear.close();
    await forger?.close();
  }
}

/** Says loudly what is not being shown; in CI, where multicast must work, that is a failure. */
export function explainMissingMulticast(isPossible: boolean): void {
  if (isPossible) return;
  const message = 'this machine carries no multicast over loopback: nothing about mDNS was shown';
  if ((process.env['CI'] ?? '') !== '') throw new Error(message);
  console.warn(`\n*** SKIPPED: ${message} ***\n`);
}

/**
 * Addresses as people and packets write them, and what may be done with each. Judged as numbers by `net.BlockList`,
 * never by how they begin: `127.evil.com` is a name.
 */
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';

const HOST_NAME = /^(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62}))*$/;

/** `host:port`: a name, an IPv4 address or an IPv6 address in brackets, and a port of 1–65535. */
export const Address = z.string().refine((text) => splitAddress(text) !== null, 'must be host:port');

/** The parts of `host:port`, or null if it is not one. The host is without brackets. */
export function splitAddress(text: string): { readonly host: string; readonly port: number } | null {
  const match = /^(?:\[([0-9A-Fa-f:.]{2,45})\]|([^:[\]]{1,253})):(\d{1,5})$/.exec(text);
  if (match === null) return null;
  const [, inBrackets, bare = '', digits] = match;
  const port = Number(digits);
  if (port < 1 || port > 65_535) return null;
  if (inBrackets !== undefined) return isIPv6(inBrackets) ? { host: inBrackets, port } : null;
  // What consists of numbers alone must be an IPv4 address: `999.1.1.1` is no name.
  if (/^[\d.]+$/.test(bare)) return isIPv4(bare) ? { host: bare, port } : null;
  return HOST_NAME.test(bare) ? { host: bare, port } : null;
}

/** The text of an address that is bracketed where it has to be. */
export function joinAddress(host: string, port: number): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/** What kind of place an IP address is. `forbidden` is what nobody has a reason to be sent to. */
export type Reach = 'loopback' | 'private' | 'public' | 'forbidden';

const loopback = listOf(['127.0.0.0/8'], ['::1/128']);
const privateUse = listOf(['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'], ['fc00::/7']);
const forbidden = listOf(
  [
    '0.0.0.0/8',
    '100.64.0.0/10', // shared by carriers; 100.100.100.200 is a metadata service
    '169.254.0.0/16', // link-local; 169.254.169.254 is a metadata service
    '192.0.0.0/24',
    '192.0.2.0/24',
    '192.31.196.0/24',
    '192.52.193.0/24',
    '192.88.99.0/24',
    '192.175.48.0/24',
    '198.18.0.0/15',
    '198.51.100.0/24',
    '203.0.113.0/24',
    '224.0.0.0/4',
    '240.0.0.0/4',
  ],
  [
    '::/128',
    '::/96', // IPv4-compatible, long deprecated
    '::ffff:0:0/96', // IPv4-mapped: says IPv4 while it looks like IPv6
    '::ffff:0:0:0/96',
    '64:ff9b::/96', // NAT64: reaches any IPv4 address
    '64:ff9b:1::/48',
    '100::/64',
    '2001::/23',
    '2001:db8::/32',
    '2002::/16', // 6to4: carries an IPv4 address
    '3fff::/20',
    '5f00::/16',
    'fd00:ec2::254/128', // a metadata service
    'fe80::/10',
    'fec0::/10',
    'ff00::/8',
  ],
);

/**
 * What kind of place an IP address is. What is no IP address is forbidden.
 * @see https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry
 */
export function reachOf(address: string): Reach {
  const family = isIP(address);
  // A zone (`fe80::1%eth0`) says link-local, and a BlockList does not read it.
  if (family === 0 || address.includes('%')) return 'forbidden';
  const type = family === 4 ? 'ipv4' : 'ipv6';
  if (loopback[type].check(address, type)) return 'loopback';
  if (forbidden[type].check(address, type)) return 'forbidden';
  return privateUse[type].check(address, type) ? 'private' : 'public';
}

/** Whether an address is on this machine or in a private range: where a neighbour on one network would be. */
export function isNearby(address: string): boolean {
  const reach = reachOf(address);
  return reach === 'loopback' || reach === 'private';
}

interface Networks {
  readonly ipv4: BlockList;
  readonly ipv6: BlockList;
}

/** A list for each family: one BlockList for both takes every IPv4 address for part of `::ffff:0:0/96`. */
function listOf(v4: readonly string[], v6: readonly string[]): Networks {
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const [networks, type] of [
    [v4, 'ipv4'],
    [v6, 'ipv6'],
  ] as const) {
    for (const network of networks) {
      const [address = '', bits] = network.split('/');
      lists[type].addSubnet(address, Number(bits), type);
    }
  }
  return lists;
}

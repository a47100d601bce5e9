/**
 * Which gateways that were found may be dialled. Whoever is dialled is given the token, and may give a node work: so what
 * anybody can announce is not dialled until somebody has named it. A pure question of where it was heard of, and where it is.
 */
import { BlockList, isIP } from 'node:net';
import { PincerError } from '../../protocol/failure.ts';
import { plainText } from '../../protocol/identifier.ts';
import { reachOf } from './address.ts';

/** A gateway that was heard of: the kind of the source, and what to dial. */
export interface FoundGateway {
  readonly kind: string;
  readonly url: string;
}

/** Why a gateway is not dialled, in words; null if it is. */
export type Trust = (gateway: FoundGateway) => string | null;

type Rule = (host: string, port: string) => boolean;

/**
 * Reads what is named as trusted: `192.168.1.10`, `[fd00::10]`, `gw.example.com`, each also with `:port`, and networks
 * such as `192.168.1.0/24`. `hasToken` says whether whoever is dialled is given a token.
 * @throws PincerError `OPTION_INVALID` for what is none of these
 */
export function trustOf(named: readonly string[], { hasToken }: { readonly hasToken: boolean }): Trust {
  const rules = named.map(ruleOf);
  return ({ kind, url }) => {
    const { protocol, hostname, port } = new URL(url);
    const host = hostname.replace(/^\[(.*)\]$/, '$1');
    const isSecure = protocol === 'wss:';
    if (rules.some((rule) => rule(host, port === '' ? (isSecure ? '443' : '80') : port))) return null;
    // Whoever wrote the list has named it.
    if (kind === 'static') return null;
    const reach = host === 'localhost' ? 'loopback' : isIP(host) === 0 ? 'name' : reachOf(host);
    if (reach === 'forbidden') return 'its address is link-local or reserved';
    if (kind === 'registry') {
      if (isSecure || reach === 'loopback' || reach === 'private') return null;
      return 'it is beyond this network and not wss, so that everything would travel in the clear';
    }
    if (reach !== 'loopback') return 'anybody on the network can announce a gateway';
    return hasToken ? 'any program on this machine can announce a gateway, and would be given the token' : null;
  };
}

function ruleOf(text: string): Rule {
  return networkRule(text) ?? hostRule(text) ?? refuse(text);
}

function networkRule(text: string): Rule | null {
  const [address = '', bits = '', ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > (family === 4 ? 32 : 128) || rest.length > 0)
    return null;
  const network = new BlockList();
  network.addSubnet(address, Number(bits), family === 4 ? 'ipv4' : 'ipv6');
  // A list of one family would be asked about the other in its mapped form.
  return (host) => isIP(host) === family && network.check(host, family === 4 ? 'ipv4' : 'ipv6');
}

function hostRule(text: string): Rule | null {
  const parts = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(text);
  const [, inBrackets, bare, port] = parts ?? [];
  const host = (inBrackets ?? bare ?? (isIP(text) === 6 ? text : undefined))?.toLowerCase();
  if (host === undefined || !URL.canParse(`ws://${isIP(host) === 6 ? `[${host}]` : host}`)) return null;
  return (other, otherPort) => other === host && (port === undefined || port === otherPort);
}

function refuse(text: string): never {
  throw new PincerError(
    'OPTION_INVALID',
    `'${plainText(text)}' cannot be trusted: it is no address, network or host name`,
    {
      hint: 'Name 192.168.1.10, 192.168.1.10:7443, 192.168.1.0/24 or gw.example.com.',
    },
  );
}

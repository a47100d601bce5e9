/** A certificate that signs itself, made when it is asked for: a key in the repository would be one that somebody may trust. */
import { generateKeyPairSync, sign } from 'node:crypto';

export interface Certificate {
  /** Both in PEM. */
  readonly cert: string;
  readonly key: string;
}

/** One for `localhost`, and for no other name or address. */
export function selfSignedCertificate(): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = sequence(der(0x31, sequence(oid('550403'), der(0x0c, Buffer.from('localhost')))));
  const algorithm = sequence(oid('2a8648ce3d040302'));
  const dnsName = der(0x82, Buffer.from('localhost'));
  const fields = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1])),
    ...[algorithm, name, sequence(der(0x17, Buffer.from('240101000000Z')), der(0x18, Buffer.from('20991231235959Z')))],
    ...[name, publicKey.export({ type: 'spki', format: 'der' })],
    der(0xa3, sequence(sequence(oid('551d11'), der(0x04, sequence(dnsName))))),
  );
  const signature = der(0x03, Buffer.from([0]), sign('sha256', fields, privateKey));
  const body = sequence(fields, algorithm, signature).toString('base64').replace(/.{64}/g, '$&\n');
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  };
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, ...parts);
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'));
}

/** A value of ASN.1: its tag, its length, its content. */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

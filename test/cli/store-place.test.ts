import { describe, expect, it } from 'vitest';
import { dataDir, storeAt, storePlace } from '../../src/cli/store-place.ts';
import { lmdbStore } from '../../src/store.ts';

const linux = { environment: {}, platform: 'linux', home: '/ann' } as const;
const PORT = '127.0.0.1:7443';

describe('the store of a gateway', () => {
  it('is where the platform keeps data of a user', () => {
    expect(storePlace(undefined, PORT, linux)).toBe('/ann/.local/share/pincer/gateway-7443');
    expect(dataDir({ ...linux, environment: { XDG_DATA_HOME: '/data' } })).toBe('/data/pincer');
    expect(dataDir({ ...linux, platform: 'darwin' })).toBe('/ann/Library/Application Support/pincer');
    const windows = { ...linux, platform: 'win32', environment: { LOCALAPPDATA: '/local' } } as const;
    expect(dataDir(windows)).toBe('/local/pincer');
    expect(dataDir({ ...windows, environment: {} })).toBe('/ann/AppData/Local/pincer');
  });

  it('is moved by PINCER_HOME, and not by an empty one', () => {
    expect(storePlace(undefined, PORT, { ...linux, environment: { PINCER_HOME: '/srv' } })).toBe('/srv/gateway-7443');
    expect(dataDir({ ...linux, environment: { PINCER_HOME: '' } })).toBe('/ann/.local/share/pincer');
  });

  it('is another one for each port, whatever the address, so that none is shared by chance', () => {
    expect(storePlace(undefined, '0.0.0.0:7443', linux)).toBe(storePlace(undefined, PORT, linux));
    expect(storePlace(undefined, '[::1]:7444', linux)).toMatch(/gateway-7444$/);
  });

  it('is in memory for a port that the system chooses, and where that is asked for', async () => {
    expect(storePlace(undefined, '127.0.0.1:0', linux)).toBe('memory');
    expect(storePlace('memory', PORT, linux)).toBe('memory');
    expect(await storeAt('memory', {})).toEqual({});
  });

  it('is the directory of --store', async () => {
    expect(storePlace('/srv/tasks', '127.0.0.1:0', linux)).toBe('/srv/tasks');
    expect((await storeAt('/srv/tasks', {})).store?.kind).toBe('lmdb');
  });

  it('has a name, which is not made up for who gives an empty one', () => {
    for (const dir of ['', ' ']) {
      expect(() => lmdbStore(dir)).toThrow(
        expect.objectContaining({ code: 'OPTION_INVALID', message: expect.stringContaining('the directory is empty') }),
      );
    }
  });
});

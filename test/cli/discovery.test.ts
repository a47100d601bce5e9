import { describe, expect, it } from 'vitest';
import { announcementsOf } from '../../src/cli/discovery.ts';

describe('what a gateway is announced with', () => {
  it.each([
    ['no URL', 'nonsense'],
    ['another scheme', 'https://gw.example'],
    ['a password', 'wss://bob:hunter2@gw.example'],
  ])('is refused where nobody could dial it: %s', async (_, advertiseUrl) => {
    const announced = announcementsOf({ advertise: ['registry'], advertiseUrl }, '127.0.0.1:0');
    await expect(announced).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringContaining('--advertise-url must be ws://HOST:PORT'),
    });
    await expect(announced).rejects.not.toThrow(/hunter2/);
  });

  it.each([[[]], [['mdns']]] as const)('is refused where it would be passed over: with %j', async (advertise) => {
    const announced = announcementsOf({ advertise: [...advertise], advertiseUrl: 'wss://gw.example' }, '127.0.0.1:0');
    await expect(announced).rejects.toThrow('--advertise-url is for --advertise registry');
  });
});

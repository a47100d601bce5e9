/** The channels’ door: platforms connected to a cluster. What comes in becomes a task, its reply goes out. */
export { createChannel } from './channels/channel.ts';
export type { Channel, ChannelOptions, Route, TaskRoute } from './channels/channel-options.ts';
export type { ChannelCounters } from './channels/counters.ts';
export { type MemoryPlatform, memoryPlatform } from './channels/memory.ts';
export type {
  InboundMessage,
  Inlet,
  OpenPlatform,
  OutboundMessage,
  Platform,
  PlatformWorld,
  ProgressNote,
} from './channels/platform.ts';
export { type TelegramOptions, telegram } from './channels/telegram/telegram.ts';
export type { Turn } from './channels/turn.ts';
export { type WebhookOptions, webhook } from './channels/webhook/webhook.ts';
export type { WebhookMessage, WebhookReply } from './channels/webhook/webhook-message.ts';

/** Messages of Telegram as those of a channel: who said what where, and how a long reply is divided. */
import type { Update } from 'grammy/types';
import { z } from 'zod';
import type { InboundMessage } from '../platform.ts';

/** What Telegram takes in one message, in UTF-16 units. */
export const CHARACTERS_MAX = 4_096;
const CUT = '\n[…]';

const WholeNumber = z.int();

/** Where a reply goes, kept with its delivery. */
export const TelegramAddress = z.strictObject({
  chat: WholeNumber,
  /** The message that it replies to. */
  message: WholeNumber.optional(),
  /** The topic of a forum. */
  thread: WholeNumber.optional(),
});
export type TelegramAddress = z.infer<typeof TelegramAddress>;

/** The message that an update brings, or null if it brings none that could be read. */
export function inboundOf({
  message,
}: Update): { chat: number; user: number | undefined; message: InboundMessage } | null {
  const text = message?.text ?? message?.caption;
  if (message === undefined || text === undefined || text === '') return null;
  const { chat, from, message_id: id } = message;
  // In a group without topics every answer to a message has a thread, too, and nothing can be sent to that.
  const thread = message.is_topic_message === true ? message.message_thread_id : undefined;
  const replyTo: TelegramAddress = { chat: chat.id, message: id, ...(thread === undefined ? {} : { thread }) };
  return {
    chat: chat.id,
    user: from?.id,
    message: {
      id: `${chat.id}:${id}`,
      conversation: thread === undefined ? String(chat.id) : `${chat.id}:${thread}`,
      sender: String(from?.id ?? chat.id),
      text,
      data: { chatType: chat.type, ...(from?.username === undefined ? {} : { username: from.username }) },
      replyTo,
    },
  };
}

/**
 * A text in parts that fit, divided at line ends and spaces where there are some; at most `partsMax`. Of nothing but white
 * space there is none: Telegram refuses such a message, and the whole reply with it.
 */
export function partsOf(text: string, partsMax: number): string[] {
  const parts: string[] = [];
  let rest = text.trim() === '' ? '(no text)' : text;
  while (rest !== '') {
    if (rest.length <= CHARACTERS_MAX) {
      parts.push(rest);
      break;
    }
    if (parts.length === partsMax - 1) {
      parts.push(`${headOf(rest, CHARACTERS_MAX - CUT.length)}${CUT}`);
      break;
    }
    const head = headOf(rest, CHARACTERS_MAX);
    const seam = Math.max(head.lastIndexOf('\n'), head.lastIndexOf(' '));
    // No seam in the second half: better a word divided than a message of three letters.
    const end = seam > CHARACTERS_MAX / 2 ? seam + 1 : head.length;
    parts.push(rest.slice(0, end));
    rest = rest.slice(end);
  }
  return parts.filter((part) => part.trim() !== '');
}

/** The end of a text that is too long for one message. */
export function tailOf(text: string): string {
  if (text.length <= CHARACTERS_MAX) return text;
  return `…${text.slice(1 - CHARACTERS_MAX).replace(/^[\uDC00-\uDFFF]/, '')}`;
}

/** The beginning of a text, which never ends with half a character: Telegram refuses that as no UTF-8. */
function headOf(text: string, length: number): string {
  return text.slice(0, length).replace(/[\uD800-\uDBFF]$/, '');
}

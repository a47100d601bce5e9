/** The one set of msgpackr options: plain msgpack, stateless. Frames and payloads share it and nothing else. */

// Stateless: without structures, a byte that msgpackr could read as a reference to a record is the small integer it is in
// plain msgpack. Its extensions need no switching off: preflight lets none but timestamps through, and addExtension would
// change them for everybody else in the process.
export const PLAIN_MSGPACK = {
  useRecords: false,
  structuredClone: false,
  moreTypes: false,
  mapsAsObjects: true,
  int64AsType: 'number',
  variableMapSize: true,
  // An absent option is absent on the wire: schemas do not take nil for it.
  skipValues: [undefined],
  encodeUndefinedAsNil: true,
  useToJSON: false,
} as const;

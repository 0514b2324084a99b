/** One part of a response of `maps` or `atlas`: an encoded header and the stored, deflated bytes. */
export interface Part {
  readonly header: Uint8Array;
  readonly payload: Uint8Array<ArrayBuffer>;
}

const PREFIX_BYTES = 8;

/**
 * Splits `u32 header length · u32 payload length · header · payload`, little-endian, repeated.
 * The parts are views of the response, nothing is copied. A response that ends inside a part was
 * cut off on its way and is refused as a whole.
 */
export function splitParts(response: ArrayBuffer): Part[] {
  const view = new DataView(response);
  const parts: Part[] = [];
  let position = 0;
  while (position < response.byteLength) {
    if (position + PREFIX_BYTES > response.byteLength) {
      throw new Error(`The answer ends inside the lengths of part ${parts.length}.`);
    }
    const headerLength = view.getUint32(position, true);
    const payloadLength = view.getUint32(position + 4, true);
    const start = position + PREFIX_BYTES;
    const end = start + headerLength + payloadLength;
    if (end > response.byteLength) {
      throw new Error(
        `The answer was cut off: part ${parts.length} needs ${end - response.byteLength} more bytes.`,
      );
    }
    parts.push({
      header: new Uint8Array(response, start, headerLength),
      payload: new Uint8Array(response, start + headerLength, payloadLength),
    });
    position = end;
  }
  return parts;
}

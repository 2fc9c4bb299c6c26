// Runs in the browser's audio thread: collects blocks and hands them to the page, the channels of a sample beside each other.

const BLOCK_SAMPLES = 512; // 11 ms at 48 kHz: shorter ones are not worth a message each.

class BlockCollector extends AudioWorkletProcessor {
  constructor(options) {
    super();
    this.channels = options.processorOptions.channels;
    this.begin();
  }

  begin() {
    this.block = new Float32Array(BLOCK_SAMPLES * this.channels);
    this.samples = 0;
  }

  process([input]) {
    // While the microphone is changed there is no channel, and silence takes its place.
    const length = input.length ? input[0].length : 128;
    for (let sample = 0; sample < length; sample += 1) {
      for (let channel = 0; channel < this.channels; channel += 1) {
        this.block[this.samples * this.channels + channel] = input[channel] ? input[channel][sample] : 0;
      }
      this.samples += 1;
      if (this.samples === BLOCK_SAMPLES) {
        this.port.postMessage(this.block.buffer, [this.block.buffer]);
        this.begin();
      }
    }
    return true;
  }
}

registerProcessor("block-collector", BlockCollector);

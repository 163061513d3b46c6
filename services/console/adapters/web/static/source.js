// One held stream with its reopening. It knows no page: the worker that all tabs share holds one, or a page alone.

const QUIET_MS = 10_000; // beats come every second: an open stream that is mute for so long is dead
const LOOK_MS = 2000;
const RETRY_MS = 5000;
const PATIENCE_MS = 15_000;

export class Source {
  // `listener`: sections(changed, at), beat(fresh, at), gone(); `at` is when it came, by the clock of the machine.
  constructor(session, listener) {
    this.session = session;
    this.listener = listener;
    this.stream = null;
    this.timer = null;
    this.retry = null;
  }

  get isOpen() {
    return this.timer !== null;
  }

  open() {
    this.close();
    this.heardAt = performance.now();
    this.timer = setInterval(() => this.look(), LOOK_MS);
    const stream = new EventSource(`/api/v1/stream?session=${encodeURIComponent(this.session)}`);
    this.stream = stream;
    const take = (event, tell) => {
      if (stream !== this.stream) return;
      this.heardAt = performance.now();
      tell(JSON.parse(event.data), Date.now());
    };
    for (const name of ["snapshot", "update"]) stream.addEventListener(name, (event) => take(event, this.listener.sections));
    stream.addEventListener("beat", (event) => take(event, this.listener.beat));
    stream.addEventListener("error", () => {
      if (stream === this.stream && stream.readyState === EventSource.CLOSED) this.askWhy(stream);
    });
  }

  close() {
    this.stream?.close();
    this.stream = null;
    clearInterval(this.timer);
    clearTimeout(this.retry);
    this.timer = null;
  }

  // Also for whoever wakes up: what lay in the buffer of a sleeping machine is not live.
  look() {
    if (this.stream?.readyState === EventSource.OPEN && performance.now() - this.heardAt > QUIET_MS) this.open();
  }

  // After a refusal (session over, too many streams, server away) a browser gives up for good: ask why and start anew.
  async askWhy(stream) {
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), PATIENCE_MS);
    let status = 0;
    try {
      status = (await fetch("/api/v1/me", { headers: { "X-Session": this.session }, signal: patience.signal })).status;
    } catch {
      // away or mute: try again below
    }
    clearTimeout(timer);
    if (stream !== this.stream) return;
    if (status === 401 || status === 409) {
      this.close();
      this.listener.gone();
    } else {
      this.retry = setTimeout(() => this.open(), RETRY_MS);
    }
  }
}

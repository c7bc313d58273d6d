// Numbers, spans and instants as people read them; as cli/words.py has them. Pure.

export const NOTHING = "–";
const known = (value) => typeof value === "number" && Number.isFinite(value);

/** `1.5s`, `3m20s`, `2h05m`, `4d11h`: two units at most. Seconds. */
export function span(seconds) {
  if (!known(seconds)) return NOTHING;
  if (seconds < 0) return `-${span(-seconds)}`;
  if (seconds < 60) return seconds < 9.95 ? `${seconds.toFixed(1)}s` : `${Math.floor(seconds)}s`;
  const whole = Math.floor(seconds);
  const two = (number) => String(number).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)}h${two(Math.floor((whole % 3600) / 60))}m`;
  return `${Math.floor(whole / 86400)}d${two(Math.floor((whole % 86400) / 3600))}h`;
}

/** `0.4ms` below a second, else a span. Negative where a publisher's clock is ahead. */
export function lag(milliseconds) {
  if (!known(milliseconds)) return NOTHING;
  const size = Math.abs(milliseconds);
  const text = size < 1000 ? `${size.toFixed(1)}ms` : span(size / 1000);
  return milliseconds < 0 ? `-${text}` : text;
}

/** MiB in three figures, with the unit. */
export function megabytes(value) {
  if (!known(value)) return NOTHING;
  if (value < 100) return `${value.toFixed(1)} MiB`;
  return value < 1024 ? `${value.toFixed(0)} MiB` : `${(value / 1024).toFixed(1)} GiB`;
}

/** A quantity or price: ten figures at most, no needless zeros. */
export function amount(value) {
  return known(value) ? String(Number(value.toPrecision(10))) : NOTHING;
}

const MONEY = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const COUNT = new Intl.NumberFormat("en");

/** Money to the cent. */
export const money = (value) => (known(value) ? MONEY.format(value === 0 ? 0 : value) : NOTHING);

/** A profit or a loss: money with its sign, a minus as wide as a plus. */
export function gain(value) {
  if (!known(value)) return NOTHING;
  const text = MONEY.format(Math.abs(value));
  if (text === "0.00") return text;
  return value > 0 ? `+${text}` : `−${text}`;
}

export const count = (value) => (known(value) ? COUNT.format(value) : NOTHING);

/** `good`, `bad` or nothing, for a colour beside the sign. */
export const side = (value) => (!known(value) || Math.abs(value) < 0.005 ? "" : value > 0 ? "good" : "bad");

/** A JavaScript date of an instant in ns since the epoch. */
export const moment = (nanos) => new Date(nanos / 1e6);
const two = (number) => String(number).padStart(2, "0");

/** Local time of day of an instant in ns, to the second. */
export function clock(nanos) {
  if (!nanos) return NOTHING;
  const at = moment(nanos);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** Local date and time of an instant in ns, to the second. */
export function instant(nanos) {
  if (!nanos) return NOTHING;
  const at = moment(nanos);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clock(nanos)}`;
}

/** How long ago an instant in ns was; `now` is in ms, as Date.now() gives it. */
export function ago(nanos, now) {
  return nanos ? `${span(Math.max(0, now / 1000 - nanos / 1e9))} ago` : NOTHING;
}

/** Short messages at the edge of the page, some with one action (undo). */

export interface Toast {
  id: number;
  text: string;
  tone: "plain" | "error";
  action: { label: string; run: () => void | Promise<void> } | null;
}

const SHOW_MS = 6_000;
/** An undo is offered for longer: it takes a moment to notice what went. */
const SHOW_ACTION_MS = 15_000;

class Toasts {
  list = $state.raw<Toast[]>([]);
  #nextId = 1;
  #timers = new Map<number, ReturnType<typeof setTimeout>>();

  show(text: string, options: Partial<Pick<Toast, "tone" | "action">> = {}): number {
    const toast: Toast = {
      id: this.#nextId++,
      text,
      tone: options.tone ?? "plain",
      action: options.action ?? null,
    };
    this.list = [...this.list.slice(-3), toast];
    this.resume(toast.id);
    return toast.id;
  }

  dismiss(id: number): void {
    this.pause(id);
    this.list = this.list.filter((toast) => toast.id !== id);
  }

  /** Holds a message while it is pointed at or focused. */
  pause(id: number): void {
    const timer = this.#timers.get(id);
    if (timer !== undefined) clearTimeout(timer);
    this.#timers.delete(id);
  }

  resume(id: number): void {
    const toast = this.list.find((one) => one.id === id);
    if (!toast) return;
    this.pause(id);
    this.#timers.set(
      id,
      setTimeout(() => this.dismiss(id), toast.action ? SHOW_ACTION_MS : SHOW_MS),
    );
  }
}

export const toasts = new Toasts();

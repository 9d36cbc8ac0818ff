/** The page as an app: offline state, a waiting update, and the browser's offer to install. */

interface InstallPromptEvent extends Event {
  prompt(): Promise<void>;
  readonly userChoice: Promise<{ outcome: "accepted" | "dismissed" }>;
}

class Pwa {
  online = $state(navigator.onLine);
  updateReady = $state(false);
  canInstall = $state(false);
  installed = $state(window.matchMedia("(display-mode: standalone)").matches);
  #prompt: InstallPromptEvent | null = null;
  #update: (() => Promise<void>) | null = null;

  constructor() {
    window.addEventListener("online", () => (this.online = true));
    window.addEventListener("offline", () => (this.online = false));
    window.addEventListener("beforeinstallprompt", (event) => {
      event.preventDefault();
      this.#prompt = event as InstallPromptEvent;
      this.canInstall = true;
    });
    window.addEventListener("appinstalled", () => {
      this.installed = true;
      this.canInstall = false;
    });
  }

  /** Registers the service worker; a failure leaves a page that works online. */
  async register(): Promise<void> {
    if (!("serviceWorker" in navigator)) return;
    const { registerSW } = await import("virtual:pwa-register");
    const update = registerSW({ onNeedRefresh: () => (this.updateReady = true) });
    this.#update = () => update(true);
  }

  async applyUpdate(): Promise<void> {
    await this.#update?.();
  }

  async install(): Promise<void> {
    const prompt = this.#prompt;
    if (!prompt) return;
    await prompt.prompt();
    const { outcome } = await prompt.userChoice;
    this.#prompt = null;
    this.canInstall = false;
    if (outcome === "accepted") this.installed = true;
  }
}

export const pwa = new Pwa();

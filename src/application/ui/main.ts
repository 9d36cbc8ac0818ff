/** Mounts the page at once; everything heavy (engine, wasm, charts) comes after the first paint. */

import { mount } from "svelte";
import App from "./App.svelte";
import "./styles/tokens.css";
import "./styles/base.css";

const target = document.getElementById("app");
if (!target) throw new Error("The page has no #app element.");
mount(App, { target });

// The pages' behaviour. Everything here is an addition: without it, pages are read and forms are sent all the same.
import { startKeys } from "./keys.js";
import { startLive } from "./live.js";
import { startTheme } from "./theme.js";
import { startTimes } from "./times.js";
import { startTips } from "./tips.js";

startKeys();
startTheme();
startTimes();
startTips();
startLive();

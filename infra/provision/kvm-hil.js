#!/usr/bin/env node
// SPDX-License-Identifier: GPL-2.0-only
// The command `kvm-hil` of a checkout: compiles what changed, then runs it.
import { bootstrap } from './bootstrap.js';

bootstrap();
await import('../../dist/harness/cli.js');

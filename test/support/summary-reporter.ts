import type { Reporter, TestModule } from 'vitest/node';

/** Prints `N passed, N failed` alone as the very last line, for whoever reads the run by machine; before it what was skipped. */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    for (const module of modules) {
      let failedTests = 0;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === 'passed') count.passed += 1;
        else if (state === 'failed') failedTests += 1;
        else count.skipped += 1;
      }
      // A file that cannot be loaded, or a hook that fails, fails without a failed test.
      count.failed += module.state() === 'failed' ? Math.max(failedTests, 1) : failedTests;
    }
    const skipped = count.skipped > 0 ? `${count.skipped} skipped\n` : '';
    // The other reporters, and the teardown of the services, write after this.
    process.once('exit', () => {
      process.stdout.write(`${skipped}${count.passed} passed, ${count.failed} failed\n`);
    });
  }
}

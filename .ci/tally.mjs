// Prints what the test runner's JSON report amounts to, as one line for machines. Red when a test failed, a file could
// not be loaded, or a test was skipped: what does not run in CI does not count as green.
import { existsSync, readFileSync } from 'node:fs';

const file = process.argv[2];
if (file === undefined || !existsSync(file)) {
  console.log('the test runner wrote no report');
  console.log('0 passed, 1 failed, 0 skipped');
  process.exit(1);
}

const report = JSON.parse(readFileSync(file, 'utf8'));
const brokenFiles = report.testResults.filter(
  ({ status, assertionResults }) => status === 'failed' && assertionResults.every((test) => test.status !== 'failed'),
);
// A run that broke before its first test has no failed test to count, and must not read as a clean one.
const broken = report.success && report.numPassedTests > 0 ? 0 : 1;
const failed = Math.max(report.numFailedTests + brokenFiles.length, broken);
const skipped = report.numPendingTests + report.numTodoTests;

if (skipped > 0) {
  const names = report.testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status }) => status !== 'passed' && status !== 'failed')
    .map(({ fullName }) => fullName);
  console.log(`skipped, which CI does not accept:\n  ${names.join('\n  ')}`);
}
console.log(`${report.numPassedTests} passed, ${failed} failed, ${skipped} skipped`);
process.exit(failed + skipped === 0 ? 0 : 1);

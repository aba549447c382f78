/* Reads 80 registers over a serial line at 9,600 baud by libmodbus; prints CPU milliseconds for each read, good, failed. */
#include <modbus.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { UNIT = 1, REGISTERS = 80, WARM_UP = 12 };

static double cpu_ms(void) {
  struct rusage use;
  getrusage(RUSAGE_SELF, &use);
  return (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1e3 + (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e3;
}

int main(int count, char **words) {
  if (count != 3) return 2;
  int reads = atoi(words[2]);
  uint16_t values[MODBUS_MAX_READ_REGISTERS];
  modbus_t *line = modbus_new_rtu(words[1], 9600, 'N', 8, 1);
  if (!line || modbus_set_slave(line, UNIT) || modbus_set_response_timeout(line, 1, 0) || modbus_connect(line)) return 1;
  int good = 0, failed = 0;
  double before = 0;
  for (int i = -WARM_UP; i < reads; i++) {
    if (i == 0) {
      good = failed = 0;
      before = cpu_ms();
    }
    if (modbus_read_registers(line, 0, REGISTERS, values) == REGISTERS) good++;
    else failed++;
  }
  printf("%f %d %d\n", (cpu_ms() - before) / reads, good, failed);
  return 0;
}

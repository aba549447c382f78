"""Meters by pymodbus on TCP or a serial port, with answers that are late, dropped, copied, cut or damaged.

    pymodbus_meter.py '{"port": "/dev/pts/5", "baud": 115200, "seed": 1, ...}'

Delays the finished frame and not the handler: pymodbus stamps the answer of a delayed handler with the newer request's
transaction. Prints "ready ADDRESS" and, when its input ends, its counts of answers by kind as JSON.
"""

import asyncio
import json
import logging
import random
import sys

from pymodbus import FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.server.requesthandler import ServerRequestHandler
from pymodbus.simulator import DataType, SimData, SimDevice

REGISTERS = 200
UNITS = (1, 2, 3)


def word(unit, address):
    """Returns a register's constant value; the reader knows the same rule."""
    return (address * 40503 + unit * 257) & 0xFFFF


def device(unit):
    values = [word(unit, address) for address in range(REGISTERS)]
    return SimDevice(unit, simdata=[SimData(0, values=values, datatype=DataType.REGISTERS)])


class Disturbance:
    """Puts finished frames on the line late, twice, cut, damaged or not at all."""

    def __init__(self, options):
        self.chance = random.Random(options["seed"])
        self.rates = options["rates"]
        self.timeout = options["timeout_ms"] / 1000
        self.late_timeouts = options["late_timeouts"]
        self.slack = 0.008
        self.is_serial = "baud" in options
        self.counts = {}

    def befalls(self, fault):
        if self.chance.random() >= self.rates.get(fault, 0):
            return False
        self.counts[fault] = self.counts.get(fault, 0) + 1
        return True

    def say(self, handler, frame):
        turnaround = 0.001 + 0.003 * self.chance.random()
        if self.befalls("drop"):
            return
        is_late = self.befalls("late")
        last = self.late_timeouts * self.timeout - self.slack
        begin = self.timeout * 0.9 + self.chance.random() * (last - self.timeout * 0.9) if is_late else turnaround
        said = frame
        if self.is_serial and self.befalls("corrupt"):
            said = self.damaged(frame)
        elif self.is_serial and self.befalls("truncate"):
            said = frame[: self.chance.randint(1, len(frame) - 1)]
        self.put(handler, said, begin, last if is_late else None)
        if self.befalls("copy"):
            until = last if is_late else begin + self.timeout - self.slack
            self.put(handler, frame, begin + self.chance.random() * max(0, until - begin), until)

    def put(self, handler, frame, delay, until):
        loop = asyncio.get_running_loop()
        asked = loop.time()

        def write():
            if until is not None and loop.time() - asked > until:
                self.counts["withheld"] = self.counts.get("withheld", 0) + 1
            # Not handler.send: it also forgets what it has received of the next request.
            elif handler.transport:
                handler.transport.write(frame)

        loop.call_later(delay, write)

    def damaged(self, frame):
        bits = 8 * len(frame)
        if self.chance.random() < 0.5:
            wrong = self.chance.sample(range(bits), self.chance.randint(1, 3))
        else:
            length = self.chance.randint(2, 16)
            first = self.chance.randint(0, bits - length)
            inner = [bit for bit in range(first + 1, first + length - 1) if self.chance.random() < 0.5]
            wrong = [first, *inner, first + length - 1]
        data = bytearray(frame)
        for bit in wrong:
            data[bit // 8] ^= 0x80 >> (bit % 8)
        return bytes(data)


async def main():
    logging.disable(logging.CRITICAL)
    options = json.loads(sys.argv[1])
    disturbance = Disturbance(options)
    ServerRequestHandler.send = lambda handler, data, addr=None: disturbance.say(handler, data)
    devices = [device(unit) for unit in UNITS]
    if "baud" in options:
        server = ModbusSerialServer(
            devices,
            framer=FramerType.RTU,
            port=options["port"],
            baudrate=options["baud"],
            ignore_missing_devices=True,
        )
    else:
        server = ModbusTcpServer(devices, address=("127.0.0.1", options["port"]), ignore_missing_devices=True)
    await server.serve_forever(background=True)
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    print(json.dumps(disturbance.counts), flush=True)
    await server.shutdown()


asyncio.run(main())

"""The last words of `make up`: what to open, and with which name and key."""

import json

import qrcode

from deploy.local import services
from deploy.local.layout import Layout
from deploy.local.wishes import Wishes


def show(layout: Layout, wishes: Wishes) -> None:
    """Print the doors of the demo chain."""
    demo = json.loads(layout.demo.read_text())
    owner = demo["owner"]
    lines = [
        "",
        "Mèche runs. The demo chain is Salon Léonie.",
        "",
        f"  Member    {demo['member_url']}",
        f"  Tablet    {demo['tablet_url']}",
        f"  Panel     {wishes.public_url}/admin",
        f"            {owner['email']}  {owner['password']}",
        f"  API       {demo['base_url']}/v2   (documentation: {demo['base_url']}/docs)",
        f"            Authorization: Bearer {demo['api_key']}",
        f"  Messages  GET {demo['base_url']}/v2/sandbox/messages shows every text and e-mail;",
        "            nothing leaves this machine",
        f"  Metrics   {services.ops_url(layout, 'points')}/metrics (each service: make status)",
        "",
        f"  Everything above stands in {layout.demo}. Stop: make down",
    ]
    print("\n".join(lines), flush=True)
    if wishes.lan:
        print(
            "\n  On a phone in the same network. Its browser warns of the self-signed certificate;"
            "\n  accept it, and the camera works.\n"
        )
        code = qrcode.QRCode(border=2, error_correction=qrcode.constants.ERROR_CORRECT_M)
        code.add_data(demo["member_url"])
        code.print_ascii(invert=True)

#!/usr/bin/env bash
# Makes what a virtual machine needs to run the daemon and nothing else: Debian's kernel, and an initial file system of
# busybox, a few modules and the static binary. usage: prepare.sh BINARY DIR. Needs Debian and apt-get; installs what is missing.
set -euo pipefail
binary=$(realpath "$1") dir=$2
mkdir -p "$dir"
cd "$dir"

missing=()
for p in qemu-system-x86 busybox-static cpio xz-utils e2fsprogs; do
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing+=("$p")
done
if [ ${#missing[@]} -gt 0 ]; then
	echo "installing for the power cuts: ${missing[*]}"
	{ apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } >apt.log 2>&1 ||
		{ tail apt.log >&2; exit 1; }
fi
if [ ! -d kernel ]; then
	package=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image/ {print $2; exit}')
	apt-get download -q "$package" >>apt.log 2>&1
	dpkg-deb -x linux-image-*.deb kernel
	cp kernel/boot/vmlinuz-* vmlinuz
fi

rm -rf root
mkdir -p root/{bin,proc,sys,dev,data,etc,modules}
cp "$(command -v busybox)" root/bin/busybox
cp "$binary" root/quietpost
n=10
for m in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk failover net_failover virtio_net; do
	f=$(find kernel -name "$m.ko" -o -name "$m.ko.xz" | head -n 1)
	case $f in # what is not there is part of the kernel
	*.xz) xz -dc "$f" >root/modules/$n-$m.ko ;;
	*.ko) cp "$f" root/modules/$n-$m.ko ;;
	esac
	n=$((n + 1))
done
echo tool-secret >root/etc/tool.secret
echo read-token >root/etc/api.token
cat >root/etc/quietpost.yaml <<'EOF'
base_url: http://127.0.0.1:8025
data_dir: /data/quietpost
http: {listen: "0.0.0.0:8025"}
api: {token_file: /etc/api.token}
mail:
  from: Quietpost <digest@lab.test>
  smtp: {host: 10.0.2.2, port: @SMTP@, tls: none}
sources:
  - {name: tool, type: generic, secret_file: /etc/tool.secret}
schedules: {two: "@every 2s", three: "@every 3s"}
alerts: {gather: 1s, follow_up_every: 2s, max_per_hour: 1000}
subscribers:
  - {address: reader@lab.test, schedule: two}
  - {address: third@lab.test, schedule: three}
EOF
cat >root/init <<'EOF'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin HOME=/
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for m in /modules/*.ko; do insmod $m; done
i=0
while [ ! -b /dev/vda ] && [ $i -lt 200 ]; do usleep 20000; i=$((i+1)); done
mount -t ext4 /dev/vda /data || poweroff -f
ip link set lo up
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
ip route add default via 10.0.2.2
sed -i "s/@SMTP@/$(sed 's/.*smtp=\([0-9]*\).*/\1/' /proc/cmdline)/" /etc/quietpost.yaml
/quietpost serve --config /etc/quietpost.yaml
echo "the daemon ended: $?"
poweroff -f
EOF
chmod +x root/init
(cd root && find . | cpio -o -H newc --quiet | gzip -1) >initrd.gz
rm -f empty.img
truncate -s 256M empty.img
mke2fs -q -F -t ext4 empty.img

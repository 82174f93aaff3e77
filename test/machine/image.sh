#!/usr/bin/env bash
# Makes a machine: kernel, initrd and the disk of a Debian as this one with systemd, sshd and this machine's Node.js.
# Usage: image.sh <folder>. Everything is made below the folder. Needs root, and of Debian: mmdebstrap, busybox-static,
# e2fsprogs, openssh-client.
set -euo pipefail
work=$1
root=$work/root
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
kernel_package=linux-image-cloud-amd64

make_root() {
  mmdebstrap --quiet --variant=minbase --mode=root \
    --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --include=systemd,systemd-sysv,udev,dbus,dbus-user-session,libpam-systemd,kmod,openssh-server,procps,iproute2,busybox-static,perl-base,libstdc++6,e2fsprogs,ca-certificates,podman,crun \
    "$suite" "$root"
}

add_kernel() {
  mkdir "$work/deb"
  local package
  package=$(apt-cache depends "$kernel_package" | awk '/Depends:/ { print $2; exit }')
  (cd "$work/deb" && apt-get -qq download "$package" 2>/dev/null)
  dpkg-deb --fsys-tarfile "$work"/deb/*.deb | tar -x -C "$work/deb"
  cp "$work"/deb/boot/vmlinuz-* "$work/vmlinuz"
  cp -a "$work"/deb/lib/modules "$root/usr/lib/"
  chroot "$root" depmod "$(basename "$work"/deb/lib/modules/*)"
}

# Loads what the root's disk needs, and goes there.
make_initrd() {
  local tree=$work/initrd.d name
  mkdir -p "$tree"/{bin,proc,sys,dev,new}
  cp /bin/busybox "$tree/bin/"
  for name in virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk; do
    cp "$(find "$work/deb/lib/modules" -name "$name.ko")" "$tree/$name.ko"
  done
  cat >"$tree/init" <<'INIT'
#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc none /proc
$b mount -t sysfs none /sys
$b mount -t devtmpfs none /dev
for name in virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk; do $b insmod /$name.ko; done
until [ -b /dev/vda ]; do $b sleep 0.1; done
$b mount -t ext4 /dev/vda /new
exec $b switch_root /new /lib/systemd/systemd
INIT
  chmod 755 "$tree/init"
  (cd "$tree" && find . | busybox cpio -o -H newc 2>/dev/null) >"$work/initrd"
}

# With npm, which the image of the container needs.
add_node() {
  cp "$(command -v node)" "$root/usr/bin/node"
  mkdir -p "$root/usr/lib/node_modules"
  cp -r "$(npm root --global)/npm" "$root/usr/lib/node_modules/npm"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/bin/npm"
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
}

set_up() {
  echo colos-trial >"$root/etc/hostname"
  echo '/dev/vda / ext4 defaults 0 1' >"$root/etc/fstab"
  printf '[Match]\nName=en*\n[Network]\nDHCP=yes\n' >"$root/etc/systemd/network/10-all.network"
  systemctl --root="$root" --quiet enable systemd-networkd ssh 2>/dev/null || chroot "$root" systemctl enable --quiet systemd-networkd ssh
  # A session of root is there at once when its user manager is.
  install -D /dev/null "$root/var/lib/systemd/linger/root"
  mkdir -p "$root/var/log/journal"
  chroot "$root" useradd --create-home --shell /bin/bash person
  ssh-keygen -q -t ed25519 -N '' -f "$work/key"
  local home
  for home in root home/person; do
    install -d -m 700 "$root/$home/.ssh"
    install -m 600 "$work/key.pub" "$root/$home/.ssh/authorized_keys"
  done
  chroot "$root" chown -R person: /home/person/.ssh
}

make_root
add_kernel
make_initrd
add_node
set_up
mke2fs -q -t ext4 -d "$root" "$work/disk.new" 6G
rm -rf "$root" "$work/deb" "$work/initrd.d"

/** File systems of other machines. `virtiofs` and `9p` are a host's folders in a virtual machine. */
const NETWORK = new Set([
  ...['nfs', 'nfs4', 'cifs', 'smb', 'smb3', 'smbfs', 'ncpfs', 'afs', 'coda', 'ceph', '9p', 'virtiofs'],
  ...['glusterfs', 'lustre', 'beegfs', 'orangefs', 'pvfs2', 'davfs', 'vboxsf', 'vmhgfs', 'prl_fs', 'fuse'],
]);
/** File systems by FUSE whose files lie on this machine; of an unknown one nothing is known. */
const LOCAL_FUSE = new Set(
  ['fuse-overlayfs', 'mergerfs', 'bindfs', 'gocryptfs', 'encfs', 'cryfs', 'ecryptfs', 'ntfs-3g', 'lxcfs'].map(
    (name) => `fuse.${name}`,
  ),
);

/**
 * Returns the type of the file system that holds `path` where it lies on another machine, else null. `mountinfo` is the
 * text of /proc/self/mountinfo; a path that no line covers counts as local. `path` has no symbolic links.
 */
export function networkFileSystem(path: string, mountinfo: string): string | null {
  let found: { readonly point: string; readonly type: string } | null = null;
  for (const line of mountinfo.split('\n')) {
    const [mount, source] = line.split(' - ');
    const point = unescaped(mount?.split(' ')[4] ?? '');
    const type = source?.split(' ')[0];
    if (!type || !covers(point, path)) continue;
    // A later mount hides an earlier one at the same place.
    if (!found || point.length >= found.point.length) found = { point, type };
  }
  return found && isOfNetwork(found.type) ? found.type : null;
}

function covers(point: string, path: string): boolean {
  if (point === '') return false;
  return point === '/' || path === point || path.startsWith(`${point}/`);
}

function isOfNetwork(type: string): boolean {
  return NETWORK.has(type) || (type.startsWith('fuse.') && !LOCAL_FUSE.has(type));
}

/** Decodes the octal escapes of blanks in a mount point. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

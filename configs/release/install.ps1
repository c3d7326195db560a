# Installs the executable of model-sync on Windows:
#
#     powershell -ExecutionPolicy Bypass -File install.ps1                      # the newest release
#     powershell -ExecutionPolicy Bypass -File install.ps1 -Version 0.1.0 -Prefix C:\Tools
#
# The archive is compared with SHA256SUMS of the release before anything is replaced. An interrupted installation leaves
# the old program.
[CmdletBinding()]
param(
    # The release to install; without it, the newest one.
    [string]$Version = '',
    # The program is installed to the folder bin below this one.
    [string]$Prefix = (Join-Path $env:LOCALAPPDATA 'model-sync'),
    # Print only errors.
    [switch]$Quiet
)

Set-StrictMode -Version 3
$ErrorActionPreference = 'Stop'
# Its progress bar slows a download down to a tenth.
$ProgressPreference = 'SilentlyContinue'

# The page of the releases: https://github.com/OWNER/REPOSITORY/releases. The release workflow writes it into the copy
# that it publishes.
$DefaultReleases = ''

# Windows on ARM runs programs for x64.
$Platform = 'windows-x64'

function Stop-Install([string]$Message, [string]$Hint) {
    [Console]::Error.WriteLine("error: $Message")
    if ($Hint) { [Console]::Error.WriteLine("next:  $Hint") }
    exit 1
}

function Write-Line([string]$Text) {
    if (-not $Quiet) { Write-Output $Text }
}

function Get-File([string]$Address, [string]$Path) {
    try {
        Invoke-WebRequest -Uri $Address -OutFile $Path -UseBasicParsing -TimeoutSec 600
    } catch {
        Stop-Install "Cannot download ${Address}: $($_.Exception.Message)" `
            'check the version and the network; the installed program is unchanged'
    }
}

# Returns the name, the version and the checksum of the archive, from the checksums of the release.
function Select-Archive([string]$Checksums) {
    $form = '^(?<sum>[0-9a-f]{64}) [ *](?<name>model-sync-(?<version>[0-9A-Za-z.+-]+)-' + $Platform + '\.zip)$'
    $found = @(Get-Content -LiteralPath $Checksums | Where-Object { $_ -cmatch $form } | ForEach-Object {
            $null = $_ -cmatch $form
            [pscustomobject]@{ Name = $Matches.name; Version = $Matches.version; Sum = $Matches.sum }
        } | Where-Object { -not $Version -or $_.Version -ceq $Version })
    if ($found.Count -ne 1) {
        Stop-Install "SHA256SUMS of the release has $($found.Count) checksums for $Platform, not one" `
            'choose another release with -Version'
    }
    $found[0]
}

if ($env:OS -ne 'Windows_NT') { Stop-Install 'This is not Windows' 'use install.sh' }
if (-not [Environment]::Is64BitOperatingSystem) { Stop-Install 'There is no executable for 32-bit Windows' '' }
# Windows PowerShell 5.1 offers older protocols first.
[Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor
    [Net.SecurityProtocolType]::Tls12

$Version = $Version -replace '^v', ''
if ($Version -and $Version -cnotmatch '^[0-9A-Za-z.+-]+$') {
    Stop-Install "Cannot use -Version ${Version}: it is not a version" 'use a version such as 0.1.0'
}
$Releases = $DefaultReleases
if ($env:MODEL_SYNC_RELEASES) { $Releases = $env:MODEL_SYNC_RELEASES }
$Releases = $Releases.TrimEnd('/')
if (-not $Releases) {
    Stop-Install 'This copy of install.ps1 does not know the page of the releases' `
        'download install.ps1 from a release, or set MODEL_SYNC_RELEASES to https://github.com/OWNER/REPOSITORY/releases'
}
if ($Releases -notmatch '^(https://|http://(127\.0\.0\.1|localhost):)') {
    Stop-Install "Cannot use MODEL_SYNC_RELEASES=${Releases}: it has to begin with https://" ''
}

$Bin = Join-Path $Prefix 'bin'
$Program = Join-Path $Bin 'model-sync.exe'
# In the folder of the program, so that the last step is a rename.
$Scratch = Join-Path $Bin ('.model-sync-install.' + [Guid]::NewGuid().ToString('N'))
try {
    try {
        $null = New-Item -ItemType Directory -Force -Path $Scratch
    } catch {
        Stop-Install "Cannot write to ${Bin}: $($_.Exception.Message)" 'choose a folder of yours with -Prefix'
    }
    $from = "$Releases/latest/download"
    if ($Version) { $from = "$Releases/download/v$Version" }
    $checksums = Join-Path $Scratch 'SHA256SUMS'
    Get-File "$from/SHA256SUMS" $checksums
    $archive = Select-Archive $checksums
    Write-Line "downloading $($archive.Name)"
    $file = Join-Path $Scratch $archive.Name
    Get-File "$Releases/download/v$($archive.Version)/$($archive.Name)" $file
    $sum = (Get-FileHash -Algorithm SHA256 -LiteralPath $file).Hash.ToLowerInvariant()
    if ($sum -cne $archive.Sum) {
        Stop-Install "The checksum of $($archive.Name) does not match: it is $sum, SHA256SUMS says $($archive.Sum)" `
            'run this again; if it fails again, report it. The installed program is unchanged'
    }
    Expand-Archive -LiteralPath $file -DestinationPath $Scratch
    $new = Join-Path $Scratch 'model-sync.exe'
    $said = ''
    try { $said = [string](& $new --version) } catch { $said = $_.Exception.Message }
    if (-not $said.StartsWith("model-sync $($archive.Version) ")) {
        Stop-Install "The executable does not run on this machine, or is another version: $said" `
            'the installed program is unchanged'
    }
    # Windows does not replace a program that runs, but renames it.
    if (Test-Path -LiteralPath $Program) { Move-Item -LiteralPath $Program -Destination (Join-Path $Scratch 'old.exe') }
    try {
        Move-Item -LiteralPath $new -Destination $Program
    } catch {
        $old = Join-Path $Scratch 'old.exe'
        if (Test-Path -LiteralPath $old) { Move-Item -LiteralPath $old -Destination $Program }
        Stop-Install "Cannot install ${Program}: $($_.Exception.Message)" 'the installed program is unchanged'
    }
    Write-Line "installed $said"
    Write-Line "  $Program"
    if (($env:Path -split ';') -notcontains $Bin) {
        Write-Line "  add it to your Path: [Environment]::SetEnvironmentVariable('Path', [Environment]::GetEnvironmentVariable('Path', 'User') + ';$Bin', 'User')"
    }
    Write-Line '  try it:      model-sync doctor'
    Write-Line "  remove it:   Remove-Item '$Program'"
} finally {
    # A program that still runs stays there until it has ended; the next installation ignores it.
    if (Test-Path -LiteralPath $Scratch) { Remove-Item -Recurse -Force -LiteralPath $Scratch -ErrorAction SilentlyContinue }
}

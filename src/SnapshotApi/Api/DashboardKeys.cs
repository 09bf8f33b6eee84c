using System.Xml.Linq;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Microsoft.AspNetCore.DataProtection.XmlEncryption;

namespace SnapshotApi.Api;

/// <summary>
/// The keys of ASP.NET's data protection, in memory. Only the forms of Hangfire's dashboard use them: after a restart a
/// page that was open is to be loaded again. ASP.NET's own choice writes them, unencrypted, below the home directory of
/// root, or warns at every start that it has none.
/// </summary>
internal sealed class DashboardKeys : IXmlRepository
{
    private readonly Lock _lock = new();
    private readonly List<XElement> _keys = [];

    public static void Register(IServiceCollection services) =>
        services.AddDataProtection().Services.Configure<KeyManagementOptions>(options =>
        {
            options.XmlRepository = new DashboardKeys();
            options.XmlEncryptor = new NullXmlEncryptor();
        });

    public IReadOnlyCollection<XElement> GetAllElements()
    {
        lock (_lock)
        {
            return [.. _keys.Select(key => new XElement(key))];
        }
    }

    public void StoreElement(XElement element, string friendlyName)
    {
        lock (_lock)
        {
            _keys.Add(new XElement(element));
        }
    }
}
